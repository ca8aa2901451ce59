package gateway

import (
	"context"
	"net"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readIngresses reads the Ingresses of the class.
func (p *pass) readIngresses(ctx context.Context) error {
	list := &networkingv1.IngressList{}
	if err := p.List(ctx, list); err != nil {
		return err
	}
	for _, ingress := range inOrder(list.Items) {
		if ptr.Deref(ingress.Spec.IngressClassName, "") != p.Class {
			continue
		}
		served, err := p.readIngress(ctx, ingress)
		if err != nil {
			return err
		}
		before := ingress.DeepCopy()
		ingress.Status.LoadBalancer.Ingress = nil
		if served {
			host, _, _ := net.SplitHostPort(p.Proxy.Address)
			ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: host}}
		}
		p.tells(ingress, before.Status, ingress.Status)
	}
	return nil
}

// readIngress adds an Ingress's routes, and reports whether it has a host with a certificate.
func (p *pass) readIngress(ctx context.Context, ingress *networkingv1.Ingress) (served bool, err error) {
	for _, tls := range ingress.Spec.TLS {
		secret := &corev1.Secret{}
		if err := p.Get(ctx, client.ObjectKey{Namespace: ingress.Namespace, Name: tls.SecretName}, secret); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		for _, host := range tls.Hosts {
			p.site(host, secret)
		}
	}
	for _, rule := range ingress.Spec.Rules {
		site := p.sites[rule.Host]
		if site == nil || rule.HTTP == nil {
			continue // nothing is served without TLS
		}
		for _, path := range rule.HTTP.Paths {
			added, err := p.readPath(ctx, ingress.Namespace, site, path)
			if err != nil {
				return false, err
			}
			served = served || added
		}
	}
	return served, nil
}

// readPath adds the route of an exact path, and reports whether it leads somewhere.
func (p *pass) readPath(ctx context.Context, namespace string, to *Site, path networkingv1.HTTPIngressPath) (added bool, err error) {
	service := path.Backend.Service
	if service == nil || ptr.Deref(path.PathType, "") != networkingv1.PathTypeExact {
		return false, nil
	}
	backend, err := p.ingressBackend(ctx, namespace, service)
	if err != nil || backend == "" {
		return false, err
	}
	to.add(path.Path, backend)
	return true, nil
}

// ingressBackend finds the port by its name, too.
func (p *pass) ingressBackend(ctx context.Context, namespace string, to *networkingv1.IngressServiceBackend) (string, error) {
	port := to.Port.Number
	if to.Port.Name != "" {
		service := &corev1.Service{}
		if err := p.Get(ctx, client.ObjectKey{Namespace: namespace, Name: to.Name}, service); err != nil {
			return "", client.IgnoreNotFound(err)
		}
		for _, s := range service.Spec.Ports {
			if s.Name == to.Port.Name {
				port = s.Port
			}
		}
	}
	return p.backend(ctx, namespace, to.Name, port)
}
