package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// minRefusal and maxRefusal bound the time until a larger claim is asked for again. What ends a refusal, a StorageClass
// or a quota, is not watched: the operator has no right to it.
const (
	minRefusal = 10 * time.Second
	maxRefusal = 10 * time.Minute
)

// volume is what an Embedded inbox is on, before the writes of a pass.
type volume struct {
	// claim is that of a Persistent inbox; nil while there is none.
	claim *corev1.PersistentVolumeClaim
	// size is the size that the inbox has on it: the declared one, or less; 0 if the pass did not come to look.
	size resource.Quantity
}

// findVolume looks at the volume in use. The inbox never gets a bound that its volume has no room for.
func (p *pass) findVolume(ctx context.Context) (v volume, err error) {
	store := p.connector.Spec.Inbox.Store()
	if store == nil {
		return v, nil
	}
	v.size = store.Size
	if store.Storage == v1alpha1.StorageEphemeral {
		return v, p.eachEmptyDir(ctx, func(limit resource.Quantity) {
			if size := children.SizeOn(limit, p.connector); size.Cmp(v.size) < 0 {
				v.size = size
			}
		})
	}
	claim := &corev1.PersistentVolumeClaim{}
	if found, err := p.child(ctx, claim); !found {
		return v, err
	}
	v.claim, v.size = claim, children.SizeOn(children.ClaimedVolume(claim), p.connector)
	return v, nil
}

// eachEmptyDir visits the sizes of the volumes of the pods that run. All pods read one configuration, also one of before
// a larger size.
func (p *pass) eachEmptyDir(ctx context.Context, visit func(limit resource.Quantity)) error {
	pods, err := p.pods(ctx)
	for i := range pods {
		if ended(&pods[i]) == 1 {
			continue
		}
		for _, inbox := range children.EmptyDirs(&pods[i]) {
			if limit := inbox.EmptyDir.SizeLimit; limit != nil {
				visit(*limit)
			}
		}
	}
	return err
}

// fitted is the resource with an inbox of the size that its volume has room for.
func (v volume) fitted(c *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	store := c.Spec.Inbox.Store()
	if store == nil || store.Size.Cmp(v.size) == 0 {
		return c
	}
	fitted := c.DeepCopy()
	fitted.Spec.Inbox.Embedded = fitted.Spec.Inbox.Store()
	fitted.Spec.Inbox.Embedded.Size = v.size
	return fitted
}

// refusal is the API server's answer to a request for a larger volume.
type refusal struct {
	// claim and size are what it was about.
	claim types.UID
	size  string
	// words are the API server's: the first ones, while later ones differ in numbers alone.
	words string
	pause time.Duration
	due   time.Time
}

// refusal returns the refusal that stands for the claim and the declared size; nil for none.
func (p *pass) refusal(v volume) *refusal {
	r := &p.kept.refusal
	if v.claim == nil || !children.Grows(p.connector, v.claim) || r.claim != v.claim.UID || r.size != children.VolumeSize(p.connector) {
		return nil
	}
	return r
}

// held is what the claim requests until it is due to ask for more again; nil if more may be asked for.
func (p *pass) held(v volume) *resource.Quantity {
	r := p.refusal(v)
	if r == nil || !p.Clock.Now().Before(r.due) {
		return nil
	}
	return new(children.Request(v.claim))
}

// yield goes on from a write of the claim. If the API server refuses to enlarge the volume, the claim is written without
// that, so that the rest of the resource gets what it declares.
func (p *pass) yield(ctx context.Context, o outcome, claim children.Child, changed bool, err error) (bool, error) {
	in, v := o.input(), o.volume
	if err == nil {
		p.kept.refusal = refusal{}
	}
	if v.claim == nil || !children.Grows(p.connector, v.claim) || !refused(err) {
		return changed, err
	}
	in.ClaimRequest = p.refuse(v, err)
	for _, same := range children.Build([]children.Kind{claim.Kind}, in) {
		changed, err = p.applier().Apply(ctx, p.connector, same)
	}
	return changed, err
}

// refuse notes a refusal. It returns what the claim goes on to request.
func (p *pass) refuse(v volume, err error) *resource.Quantity {
	before := p.refusal(v)
	now := refusal{claim: v.claim.UID, size: children.VolumeSize(p.connector), words: err.Error(), pause: minRefusal}
	if answer, ok := errors.AsType[*apierrors.StatusError](err); ok {
		now.words = answer.Error()
	}
	if before != nil {
		now.pause = min(2*before.pause, maxRefusal)
		if status.SameWords(before.words, now.words) {
			now.words = before.words
		}
	}
	now.due = p.Clock.Now().Add(now.pause)
	p.kept.refusal = now
	return new(children.Request(v.claim))
}

// growth is how an inbox that is smaller than declared comes to grow; nil for any other.
func (p *pass) growth(v volume) *status.Growth {
	store := p.connector.Spec.Inbox.Store()
	if store == nil || v.size.IsZero() || v.size.Cmp(store.Size) >= 0 {
		return nil
	}
	g := &status.Growth{Claim: v.claim, Size: v.size}
	if r := p.refusal(v); r != nil {
		g.Refused = r.words
	}
	return g
}
