package controllers

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

const (
	// exposureAgain is after how long, at the latest, a pass looks again at what it cannot watch: Gateways, and whether a
	// kind is served.
	exposureAgain = 10 * time.Minute
	// exposureSpread is by how much of that a resource looks earlier: after a start all would look at once again, and each
	// pass reads Secrets.
	exposureSpread = 0.4
	// servedAgain is the same while a Gateway's listener for the host is not served, which may take it a moment, or while
	// the API server does not say whether the kind is there.
	servedAgain = time.Minute
	// kindAgain is the same while the operator has just started and has not looked for the kind yet.
	kindAgain = time.Second
)

// exposed is the way to the webhook from outside the cluster, after the writes.
type exposed struct {
	status.Exposure
	// again is when to look again; 0 for never.
	again time.Duration
}

// takenPaths are the paths that are another resource's on some host.
func takenPaths(taken []status.Taken) (paths []string) {
	for _, t := range taken {
		paths = append(paths, t.Path)
	}
	return paths
}

// expose writes what leads calls from outside the cluster to the connector, and looks at what became of it. The
// connector runs without it, so that this is a pass's last phase.
func (p *pass) expose(ctx context.Context, o outcome, wanted []children.Child) (e exposed, foreign *status.Obstacle, err error) {
	e.Taken = o.exposed.Taken
	if len(p.deniedOfIngress()) > 0 {
		return e, nil, nil
	}
	if o.foreign == nil { // else a Service of that name may be another's
		foreign, err = p.write(ctx, o, wanted)
	}
	if foreign != nil || err != nil {
		return e, foreign, err
	}
	if err := p.prune(ctx, o, true); err != nil {
		return e, nil, err
	}
	declared := p.connector.Spec.Exposure
	switch {
	case declared == nil:
		return e, nil, nil
	case declared.HTTPRoute != nil:
		err = p.observeHTTPRoute(ctx, &e)
	case declared.Ingress != nil:
		err = p.observeIngress(ctx, &e)
	}
	p.observeCertificates(ctx, &e)
	e.Looked = err == nil
	return e, nil, err
}

// observeHTTPRoute looks at the HTTPRoute, and at the Gateways that took it.
func (p *pass) observeHTTPRoute(ctx context.Context, e *exposed) error {
	served, why := p.kinds.state(placed{p.place, "HTTPRoute"})
	switch {
	case !served && why == nil:
		e.Unlooked, e.again = true, kindAgain
		return nil
	case !served && lacking(why):
		e.Unserved, e.again = true, lookAtExposure()
		return nil
	case !served && apierrors.IsForbidden(why):
		e.Unwatched, e.again = true, lookAtExposure()
		return nil
	case !served: // what failed may tell of the API server alone, and passes are woken once the kind is found
		e.Unlooked, e.again = true, servedAgain
		return nil
	}
	route := &gatewayv1.HTTPRoute{}
	if found, err := p.child(ctx, route); !found {
		return err
	}
	e.HTTPRoute, e.again = route, lookAtExposure()
	for _, ref := range p.connector.Spec.Exposure.HTTPRoute.ParentRefs {
		key := client.ObjectKey{Namespace: cmp.Or(ref.Namespace, p.key.Namespace), Name: ref.Name}
		e.Gateways = append(e.Gateways, p.gateways.get(ctx, key))
	}
	if e.NotServed(p.connector) {
		e.again = servedAgain
	}
	return nil
}

// lookAtExposure is when a resource looks again at what it cannot watch.
func lookAtExposure() time.Duration {
	return exposureAgain - time.Duration(rand.Float64()*exposureSpread*float64(exposureAgain)) //nolint:gosec // no secret
}

// lacking reports whether an error says that the cluster does not serve a kind.
func lacking(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// observeIngress looks at the Ingress.
func (p *pass) observeIngress(ctx context.Context, e *exposed) error {
	ingress := &networkingv1.Ingress{}
	found, err := p.child(ctx, ingress)
	if found {
		e.Ingress = ingress
	}
	return err
}

// observeCertificates looks at the certificate in a Secret of the resource's own namespace that the platform is shown.
// Those of the connector are credentials.
func (p *pass) observeCertificates(ctx context.Context, e *exposed) {
	if ingress := p.connector.Spec.Exposure.Ingress; ingress != nil && ingress.TLSSecretName != "" {
		c := p.certificate(ctx, ingress.TLSSecretName, string(ingress.Host))
		c.Field = "spec.exposure.ingress.tlsSecretName"
		e.Certificates, e.again = append(e.Certificates, c), status.Soonest(e.again, c.LookAgain(p.Clock.Now()))
	}
}

// certificate reads the certificate in a Secret.
func (p *pass) certificate(ctx context.Context, name, host string) status.Certificate {
	secret, err := p.secret(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return status.Certificate{Secret: name, Problem: "is missing"}
	case err != nil:
		return status.Certificate{Secret: name, Unread: true}
	}
	return status.ReadPair(name, secret.Data, host)
}

// exposureSecrets are the Secrets with the certificates of a resource's exposure.
func exposureSecrets(c *v1alpha1.ChannelConnector) []render.Object {
	if e := c.Spec.Exposure; e != nil && e.Ingress != nil && e.Ingress.TLSSecretName != "" {
		return []render.Object{{Kind: render.KindSecret, Name: e.Ingress.TLSSecretName}}
	}
	return nil
}
