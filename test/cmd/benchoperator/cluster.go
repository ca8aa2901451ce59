package main

import (
	_ "embed"
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
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// operatorUser is the operator's name in the audit log.
const operatorUser = "channel-connector-operator"

const assetsVariable = "KUBEBUILDER_ASSETS"

//go:embed audit-policy.yaml
var auditPolicy []byte

// cluster is a real API server with its etcd and the ChannelConnector's schema.
type cluster struct {
	client client.Client
	// kubeconfig is the path of the operator's kubeconfig, auditLog that of the audit log.
	kubeconfig, auditLog string
}

func (b *bench) startCluster() {
	if os.Getenv(assetsVariable) == "" {
		must.Do(fmt.Errorf("%s is not set: it names the folder with kube-apiserver and etcd", assetsVariable))
	}
	ctrl.SetLogger(logr.Discard()) // errors say all that matters
	policy, data := filepath.Join(b.Folder, "audit-policy.yaml"), filepath.Join(b.Folder, "etcd")
	must.Do(os.WriteFile(policy, auditPolicy, 0o600))
	must.Do(os.Mkdir(data, 0o700))
	schema := &apiextensionsv1.CustomResourceDefinition{}
	must.Do(yaml.Unmarshal(crd.ChannelConnectors, schema))
	environment := &envtest.Environment{CRDs: []*apiextensionsv1.CustomResourceDefinition{schema}}
	b.cluster = &cluster{kubeconfig: filepath.Join(b.Folder, "kubeconfig"), auditLog: filepath.Join(b.Folder, "audit.log")}
	environment.ControlPlane.Etcd = &envtest.Etcd{DataDir: data}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("service-cluster-ip-range", "10.0.0.0/16"). // the default has 254 addresses
		Set("audit-policy-file", policy).
		Set("audit-log-path", b.cluster.auditLog).
		Set("audit-log-maxsize", "100000") // MB: it is read as it grows, and must not be renamed
	must.Do(apiserver.Reserve(environment))
	b.Cleanup(func() { must.Do(environment.Stop()) })
	config, err := environment.Start()
	if err != nil {
		must.Do(fmt.Errorf("start the API server of %s: %w", assetsVariable, err))
	}
	config.QPS = -1 // the benchmark is as fast as the answers come
	b.cluster.client = must.Get(client.New(config, client.Options{Scheme: must.Get(controllers.NewScheme())}))
	// The operator may do everything.
	user := must.Get(environment.AddUser(envtest.User{Name: operatorUser, Groups: []string{"system:masters"}}, nil))
	must.Do(os.WriteFile(b.cluster.kubeconfig, must.Get(user.KubeConfig()), 0o600))
}
