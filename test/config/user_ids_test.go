package config_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

var _ = Describe("config/cluster-user-ids", func() {
	for _, base := range []string{"default", "namespaced"} {
		It("leaves the ids of config/"+base+" to the cluster, in an overlay", func(ctx context.Context) {
			folder := GinkgoT().TempDir()
			config, err := filepath.Abs(filepath.Join(installation.Root, "config"))
			Expect(err).NotTo(HaveOccurred())
			config, err = filepath.Rel(folder, config)
			Expect(err).NotTo(HaveOccurred())
			overlay := "resources: [" + config + "/" + base + "]\ncomponents: [" + config + "/cluster-user-ids]\n"
			Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(overlay), 0o600)).To(Succeed())
			all := installation.Objects(installation.Output(exec.CommandContext(ctx, kustomize, "build", folder)))

			var deployment appsv1.Deployment
			installation.Convert(installation.Only(all, "Deployment"), &deployment)
			security := deployment.Spec.Template.Spec.SecurityContext
			Expect(security.RunAsUser).To(BeNil())
			Expect(security.RunAsGroup).To(BeNil())
			Expect(*security.RunAsNonRoot).To(BeTrue())
		})
	}
})
