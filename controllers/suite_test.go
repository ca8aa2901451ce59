package controllers_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/test/kit/apiserver"
)

var (
	apiServer *envtest.Environment
	cluster   *rest.Config
	// k8s reads and writes without a cache, as a user would.
	k8s client.WithWatch
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	// The API server is real and the machine shared.
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(pause)
	SetDefaultConsistentlyPollingInterval(pause)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	controllers.RegisterMetrics()
	apiServer = &envtest.Environment{
		CRDDirectoryPaths:     []string{"../config/crd/bases"},
		ErrorIfCRDPathMissing: true,
	}
	apiServer.ControlPlane.GetAPIServer().Configure().
		// Some distributions demand the right to block the deletion of an owner.
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		// Nothing deletes the Services of a spec, which are more than the 254 addresses of the default.
		Set("service-cluster-ip-range", "10.0.0.0/20")
	Expect(apiserver.Reserve(apiServer)).To(Succeed())
	var err error
	cluster, err = apiServer.Start()
	Expect(err).NotTo(HaveOccurred(), "start a real API server: make test names its binaries in KUBEBUILDER_ASSETS")
	cluster.QPS = -1 // the tests are not throttled
	scheme, err := controllers.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.NewWithWatch(cluster, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
})

var _ = AfterSuite(func(_ context.Context) {
	if apiServer != nil {
		Expect(apiServer.Stop()).To(Succeed())
	}
})
