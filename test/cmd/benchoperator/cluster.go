package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/config/crd"
	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/test/kit/apiserver"
)

// operatorUser is whom the audit log knows the operator as.
const operatorUser = "channel-connector-operator"

const assetsVariable = "KUBEBUILDER_ASSETS"

//go:embed audit-policy.yaml
var auditPolicy []byte

// cluster is a real API server with its etcd and the ChannelConnector's schema.
type cluster struct {
	environment *envtest.Environment
	client      client.Client
	// kubeconfig is the path of the operator's.
	kubeconfig string
	// auditLog is the path of what the audit policy asks for.
	auditLog string
}

func startCluster(folder string) (*cluster, error) {
	if os.Getenv(assetsVariable) == "" {
		return nil, fmt.Errorf("%s is not set: it names the folder with kube-apiserver and etcd", assetsVariable)
	}
	ctrl.SetLogger(logr.Discard()) // what matters is in errors
	policy, data := filepath.Join(folder, "audit-policy.yaml"), filepath.Join(folder, "etcd")
	if err := errors.Join(os.WriteFile(policy, auditPolicy, 0o600), os.Mkdir(data, 0o700)); err != nil {
		return nil, err
	}
	schema := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.ChannelConnectors, schema); err != nil {
		return nil, err
	}
	c := &cluster{
		environment: &envtest.Environment{CRDs: []*apiextensionsv1.CustomResourceDefinition{schema}},
		kubeconfig:  filepath.Join(folder, "kubeconfig"),
		auditLog:    filepath.Join(folder, "audit.log"),
	}
	c.environment.ControlPlane.Etcd = &envtest.Etcd{DataDir: data}
	c.environment.ControlPlane.GetAPIServer().Configure().
		Set("service-cluster-ip-range", "10.0.0.0/16"). // the default has 254 addresses
		Set("audit-policy-file", policy).
		Set("audit-log-path", c.auditLog).
		Set("audit-log-maxsize", "100000") // MB: it is read as it grows, and must not be renamed
	if err := apiserver.Reserve(c.environment); err != nil {
		return nil, err
	}
	config, err := c.environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the API server of %s: %w", assetsVariable, err), c.stop())
	}
	config.QPS = -1 // the benchmark is as fast as the answers come
	scheme, err := controllers.NewScheme()
	if err == nil {
		c.client, err = client.New(config, client.Options{Scheme: scheme})
	}
	if err == nil {
		err = c.writeKubeconfig()
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// writeKubeconfig writes the operator's, which may do everything.
func (c *cluster) writeKubeconfig() error {
	user, err := c.environment.AddUser(envtest.User{Name: operatorUser, Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	text, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(c.kubeconfig, text, 0o600)
}

func (c *cluster) stop() error { return c.environment.Stop() }
