package controllers

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

const (
	// gatewayFresh is for how long a Gateway that was read counts as it was, so that the many resources behind one cost
	// one request.
	gatewayFresh = 30 * time.Second
	// gatewayTimeout bounds one reading.
	gatewayTimeout = 5 * time.Second
	// maxGateways bounds how many are remembered. Users name them.
	maxGateways = 1000
)

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways,verbs=get

// gateways reads Gateways, which are not watched: in most clusters they are another team's, and the operator may lack
// the right.
type gateways struct {
	live  client.Reader
	clock clock.PassiveClock

	mu   sync.Mutex
	read map[client.ObjectKey]gatewayRead
}

type gatewayRead struct {
	at time.Time
	status.Gateway
}

func newGateways(live client.Reader, c clock.PassiveClock) *gateways {
	return &gateways{live: live, clock: c, read: map[client.ObjectKey]gatewayRead{}}
}

// get returns what is known of a Gateway. That it cannot be read is no error: the status says so.
func (g *gateways) get(ctx context.Context, key client.ObjectKey) status.Gateway {
	g.mu.Lock()
	known, ok := g.read[key]
	g.mu.Unlock()
	if ok && g.clock.Since(known.at) < gatewayFresh {
		return known.Gateway
	}
	known = gatewayRead{at: g.clock.Now(), Gateway: g.ask(ctx, key)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.read) >= maxGateways {
		clear(g.read)
	}
	g.read[key] = known
	return known.Gateway
}

func (g *gateways) ask(ctx context.Context, key client.ObjectKey) status.Gateway {
	ctx, cancel := context.WithTimeout(ctx, gatewayTimeout)
	defer cancel()
	gateway := &gatewayv1.Gateway{}
	switch err := g.live.Get(ctx, key, gateway); {
	case err == nil:
		return status.ReadGateway(gateway)
	case apierrors.IsForbidden(err):
		return status.Gateway{Unread: "the operator has no right to get it"}
	case apierrors.IsNotFound(err):
		return status.Gateway{Unread: "there is no such Gateway"}
	}
	return status.Gateway{Unread: "it could not be read"}
}
