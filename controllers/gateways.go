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
	// gatewayFailed is for how long it counts that a Gateway is not there, or could not be read: it may come at any time.
	// So many passes cost one request a second. That the operator has no right counts for status.GatewayFresh.
	gatewayFailed = time.Second
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

// gatewayRead is what is known of a Gateway, until when.
type gatewayRead struct {
	until time.Time
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
	if ok && g.clock.Now().Before(known.until) {
		return known.Gateway
	}
	known = g.ask(ctx, key, known.Gateway)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.read) >= maxGateways {
		clear(g.read)
	}
	g.read[key] = known
	return known.Gateway
}

// ask reads a Gateway. A request that fails says nothing of one that was read before.
func (g *gateways) ask(ctx context.Context, key client.ObjectKey, before status.Gateway) gatewayRead {
	ctx, cancel := context.WithTimeout(ctx, gatewayTimeout)
	defer cancel()
	gateway := &gatewayv1.Gateway{}
	err := g.live.Get(ctx, key, gateway)
	fresh, failed := g.clock.Now().Add(status.GatewayFresh), g.clock.Now().Add(gatewayFailed)
	switch {
	case err == nil:
		return gatewayRead{fresh, status.ReadGateway(gateway)}
	case apierrors.IsForbidden(err):
		return gatewayRead{fresh, status.Gateway{Unread: "the operator has no right to get it"}}
	case apierrors.IsNotFound(err):
		return gatewayRead{failed, status.Gateway{Unread: "there is no such Gateway"}}
	case before.Unread == "" && len(before.Listeners) > 0:
		return gatewayRead{failed, before}
	}
	return gatewayRead{failed, status.Gateway{Unread: "it could not be read"}}
}
