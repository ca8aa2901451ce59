package config_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

// podIsTaken checks the Deployment's pod against the namespace's Pod Security.
func podIsTaken(ctx context.Context, all []*unstructured.Unstructured) {
	GinkgoHelper()
	var deployment appsv1.Deployment
	installation.Convert(installation.Only(all, "Deployment"), &deployment)
	k8s.ExpectPodTaken(ctx, deployment.Namespace, deployment.Spec.Template.Spec)
}

var _ = Describe("config/default", func() {
	It("installs, hardened", func(ctx context.Context) {
		all := build(ctx, "default")
		k8s.Install(ctx, all)
		podIsTaken(ctx, all)
	})
})

var _ = Describe("config/namespaced", func() {
	It("installs without anything of the cluster's", func(ctx context.Context) {
		all := build(ctx, "namespaced")
		for _, object := range all {
			mapping, err := k8s.RESTMapper().RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
			Expect(err).NotTo(HaveOccurred())
			Expect(mapping.Scope.Name()).To(BeEquivalentTo("namespace"), "%s %s", object.GetKind(), object.GetName())
			Expect(object.GetNamespace()).To(Equal(all[0].GetNamespace()))
		}
		k8s.MakeNamespace(ctx, all[0].GetNamespace())
		k8s.Install(ctx, all)
		podIsTaken(ctx, all)
	})
})

var _ = Describe("config/metrics-certificate", func() {
	It("has the operator serve the certificate that config/prometheus verifies", func(ctx context.Context) {
		folder := GinkgoT().TempDir()
		config, err := filepath.Abs(filepath.Join(installation.Root, "config"))
		Expect(err).NotTo(HaveOccurred())
		Expect(os.CopyFS(filepath.Join(folder, "config"), os.DirFS(config))).To(Succeed())
		Expect(os.Mkdir(filepath.Join(folder, "overlay"), 0o750)).To(Succeed())
		overlay := "resources: [../config/default]\ncomponents: [../config/metrics-certificate]\n"
		Expect(os.WriteFile(filepath.Join(folder, "overlay/kustomization.yaml"), []byte(overlay), 0o600)).To(Succeed())
		all := installation.Objects(installation.Output(exec.CommandContext(ctx, kustomize, "build", filepath.Join(folder, "overlay"))))
		k8s.Install(ctx, all)
		podIsTaken(ctx, all)
		var deployment appsv1.Deployment
		installation.Convert(installation.Only(all, "Deployment"), &deployment)
		pod := deployment.Spec.Template.Spec
		Expect(pod.Containers[0].Args).To(ContainElement("--metrics-cert-dir=" + pod.Containers[0].VolumeMounts[0].MountPath))
		var monitor map[string]any
		for _, object := range read("prometheus/operator.yaml") {
			monitor = object.Object
		}
		verifies, err := yaml.Marshal(monitor)
		Expect(err).NotTo(HaveOccurred())
		service := installation.Only(read("operator/metrics_service.yaml"), "Service")
		Expect(string(verifies)).To(And(ContainSubstring("name: "+pod.Volumes[0].Secret.SecretName), ContainSubstring("key: ca.crt"),
			ContainSubstring("serverName: "+service.GetName()+"."+service.GetNamespace()+".svc"), Not(ContainSubstring("insecure"))))
	})
})

var _ = Describe("config/prometheus", func() {
	It("asks for metrics that exist", func(ctx context.Context) {
		var documented strings.Builder
		for _, name := range []string{"metrics.md", "operator.md"} {
			content, err := os.ReadFile(filepath.Join(installation.Root, "docs", name))
			Expect(err).NotTo(HaveOccurred())
			documented.Write(content)
		}
		rules, err := yaml.Marshal(installation.Only(build(ctx, "prometheus"), "PrometheusRule").Object)
		Expect(err).NotTo(HaveOccurred())
		names := regexp.MustCompile(`xbot_(connector|operator)_\w+`).FindAllString(string(rules), -1)
		Expect(len(names)).To(BeNumerically(">", 5))
		for _, name := range names {
			written := strings.TrimSuffix(strings.TrimPrefix(name, "xbot_connector_"), "_bucket")
			Expect(documented.String()).To(ContainSubstring("| `"+written+"` |"), name)
		}
	})
})

// sample is a file of config/samples.
type sample struct {
	connector *unstructured.Unstructured
	secrets   map[string]*corev1.Secret
}

func readSample(name string) sample {
	GinkgoHelper()
	all := read("samples/" + name)
	s := sample{installation.Only(all, "ChannelConnector"), map[string]*corev1.Secret{}}
	for _, object := range all {
		if object.GetKind() != "Secret" {
			continue
		}
		secret := &corev1.Secret{}
		installation.Convert(object, secret)
		secret.Data = map[string][]byte{}
		for key, value := range secret.StringData {
			Expect(name+": "+value).To(Or(ContainSubstring("placeholder"), ContainSubstring("whsec_")), "no sample holds what looks like a secret")
			secret.Data[key] = []byte(value)
		}
		s.secrets[secret.Name] = secret
	}
	return s
}

func (s sample) secret(_ context.Context, object render.Object) (map[string][]byte, error) {
	if secret, ok := s.secrets[object.Name]; ok {
		return secret.Data, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("secrets"), object.Name)
}

var _ = Describe("config/samples", func() {
	files, err := filepath.Glob(filepath.Join(installation.Root, "config/samples/*.yaml"))
	if err != nil {
		panic(err) // the pattern is malformed
	}
	for _, file := range files {
		name := filepath.Base(file)
		if name == "kustomization.yaml" {
			continue
		}
		It("has a "+name+" that can be applied and rendered, without echoes", func(ctx context.Context) {
			k8s.MakeNamespace(ctx, "samples")
			all := read("samples/" + name)
			for _, object := range all {
				object.SetNamespace("samples")
			}
			k8s.Install(ctx, all)
			c := &v1alpha1.ChannelConnector{}
			s := readSample(name)
			Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "samples", Name: s.connector.GetName()}, c)).To(Succeed())
			Expect(c.Spec.Webhook.Events.Exclude).To(ContainElements(types.Channel(string(c.Spec.Type)).Echoes))

			generated := children.APIKeyName(c.Name)
			if len(c.Spec.Webhook.APIKeys) == 0 {
				s.secrets[generated], err = children.APIKeySecret(c)
				Expect(err).NotTo(HaveOccurred())
			}
			resolved, err := credentials.Resolve(ctx, credentials.Input{Connector: c, Generated: generated, From: s.secret})
			Expect(err).NotTo(HaveOccurred())
			Expect(resolved.Unread).NotTo(HaveOccurred())
			Expect(resolved.Findings).To(BeEmpty())
			_, err = render.Render(c, resolved.Credentials)
			Expect(err).NotTo(HaveOccurred())
		})
	}

	It("are all listed", func(ctx context.Context) {
		connectors := 0
		for _, object := range build(ctx, "samples") {
			if object.GetKind() == "ChannelConnector" {
				connectors++
			}
		}
		Expect(connectors).To(Equal(len(files) - 1))
	})
})
