// Package gateway plays a Gateway API implementation and an Ingress controller: it reads the routes of a cluster, feeds
// them to a real proxy that ends TLS, and writes the status that users and other controllers read. It understands what
// the operator writes, exact paths of one backend each, and refuses everything else in the status.
package gateway

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Controller feeds one proxy.
type Controller struct {
	// Class is the name of its GatewayClass and of its IngressClass.
	Class string
	Proxy *Proxy
	// Backend returns the address of a Service's port. Default: the Service's own.
	Backend func(service *corev1.Service, port int32) string

	client.Client
}

// Name is what the controller calls itself in a GatewayClass, an IngressClass and a status.
func (c *Controller) Name() string { return "gateway.test/" + c.Class }

// Run watches the cluster until ctx ends. The kinds of the Gateway API must be there.
func (c *Controller) Run(ctx context.Context, cluster *rest.Config) error {
	scheme, err := NewScheme()
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // a process may run several
	})
	if err != nil {
		return err
	}
	c.Client = manager.GetClient()
	// Every change leads to the same pass.
	pass := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}}
	})
	err = ctrl.NewControllerManagedBy(manager).Named(c.Class).
		Watches(&gatewayv1.GatewayClass{}, pass).Watches(&gatewayv1.Gateway{}, pass).Watches(&gatewayv1.HTTPRoute{}, pass).
		Watches(&networkingv1.Ingress{}, pass).Watches(&corev1.Service{}, pass).Watches(&corev1.Secret{}, pass).Complete(c)
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// Reconcile makes the proxy serve what the cluster says, and then says so in the status of each object.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	pass := &pass{Controller: c, sites: make(map[string]*Site)}
	if err := pass.read(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if err := c.Proxy.Serve(ctx, pass.sorted()); err != nil {
		return reconcile.Result{}, err
	}
	for _, change := range pass.changes {
		if err := c.Status().Update(ctx, change); client.IgnoreNotFound(err) != nil {
			return reconcile.Result{}, err // a conflict, too, is tried again
		}
	}
	return reconcile.Result{}, nil
}

// pass is a look at the whole cluster.
type pass struct {
	*Controller
	sites map[string]*Site // by host
	// changes are the objects whose status is to be written.
	changes []client.Object
}

func (p *pass) read(ctx context.Context) error {
	if err := p.readGateways(ctx); err != nil {
		return err
	}
	return p.readIngresses(ctx)
}

// site is that of a host. The first certificate counts.
func (p *pass) site(host string, secret *corev1.Secret) *Site {
	if p.sites[host] == nil {
		p.sites[host] = &Site{
			Host: host, Certificate: string(secret.Data[corev1.TLSCertKey]), Key: string(secret.Data[corev1.TLSPrivateKeyKey]),
		}
	}
	return p.sites[host]
}

// add adds a route, unless an older one has the path.
func (s *Site) add(path, backend string) {
	if !slices.ContainsFunc(s.Routes, func(r Route) bool { return r.Path == path }) {
		s.Routes = append(s.Routes, Route{path, backend})
	}
}

// sorted are the sites in an order that does not change.
func (p *pass) sorted() []Site {
	sorted := make([]Site, 0, len(p.sites))
	for _, site := range p.sites {
		slices.SortFunc(site.Routes, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
		sorted = append(sorted, *site)
	}
	slices.SortFunc(sorted, func(a, b Site) int { return strings.Compare(a.Host, b.Host) })
	return sorted
}

// backend returns the address of a Service's port; "" if the Service is not there or has no such port.
func (p *pass) backend(ctx context.Context, namespace, name string, port int32) (string, error) {
	service := &corev1.Service{}
	if err := p.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, service); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	if !slices.ContainsFunc(service.Spec.Ports, func(s corev1.ServicePort) bool { return s.Port == port }) {
		return "", nil
	}
	if p.Backend != nil {
		return p.Backend(service, port), nil
	}
	return net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(port))), nil
}

// tells notes an object whose status is to be written, if it has changed.
func (p *pass) tells(object client.Object, before, after any) {
	if !equality.Semantic.DeepEqual(before, after) {
		p.changes = append(p.changes, object)
	}
}

// older compares objects by age, and by name where that is the same.
func older(a, b client.Object) int {
	if order := a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time); order != 0 {
		return order
	}
	return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
}

// inOrder are objects of a list, the oldest first.
func inOrder[T any, P interface {
	*T
	client.Object
}](items []T) []P {
	ordered := make([]P, len(items))
	for i := range items {
		ordered[i] = &items[i]
	}
	slices.SortFunc(ordered, func(a, b P) int { return older(a, b) })
	return ordered
}
