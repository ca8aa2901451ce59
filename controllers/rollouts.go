package controllers

import (
	"encoding/json"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// rollOuts remember the Deployments that were seen rolled out, by their
// ChannelConnectors. A change of a Deployment's annotations, also by others, raises
// its generation and rolls no pod: a resource that is Ready stays so while the
// Deployment's controller has yet to observe that.
type rollOuts struct {
	mu   sync.Mutex
	done map[client.ObjectKey]rollOut
}

// rollOut is a Deployment's spec, by its digest.
type rollOut struct {
	uid  types.UID
	spec string
}

// unchanged reports whether a Deployment's spec is that of the last roll-out that was seen to
// end, which may be this one.
func (r *rollOuts) unchanged(key client.ObjectKey, d *appsv1.Deployment) (bool, error) {
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		return false, fmt.Errorf("encode Deployment %q: %w", d.Name, err)
	}
	now := rollOut{d.UID, apply.Digest(spec)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if status.RolledOut(d) {
		r.done[key] = now
	} else if r.done[key] != now {
		delete(r.done, key)
	}
	return r.done[key] == now, nil
}

func (r *rollOuts) forget(key client.ObjectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.done, key)
}
