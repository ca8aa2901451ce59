package chart_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

var _ = DescribeTable("The package that make chart makes", func(ctx context.Context, version, chartVersion string) {
	folder := GinkgoT().TempDir()
	command := exec.CommandContext(ctx, "make", "--silent", "chart", "CHARTS="+folder,
		"IMAGE=registry.example/xbot/channel-connector", "VERSION="+version)
	command.Env = append(os.Environ(), "MAKEFLAGS=") // not those of the make that runs this test
	installation.Output(command)
	packaged := filepath.Join(folder, "channel-connector-"+chartVersion+".tgz")

	By("having the images that make images makes")
	all := installation.Objects(helm(ctx, "template", release, packaged, oldest))
	operator := deploymentOf(all).Spec.Template.Spec.Containers[0]
	Expect(operator.Image).To(Equal("registry.example/xbot/channel-connector-operator:" + version))
	Expect(operator.Env).To(ContainElement(HaveField("Value", "registry.example/xbot/channel-connector:"+version)))
},
	Entry("of a release", "0.2.0", "0.2.0"),
	Entry("of a release whose tag begins with v", "v0.2.0", "0.2.0"),
	Entry("of a commit after a release", "v0.2.0-3-g2f1a9c4-dirty-0a1b2c3d", "0.2.0-3-g2f1a9c4-dirty-0a1b2c3d"),
	Entry("of a commit without a release, with the chart's own version", "2f1a9c4", "0.1.0"),
)
