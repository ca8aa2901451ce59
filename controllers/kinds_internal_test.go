package controllers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// TestKindsThatMayNotBeListed: children of an optional kind are left out until the cluster serves it and the operator may
// list it, since every pass would wait for the cache of a kind that it may not watch.
func TestKindsThatMayNotBeListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "gadgets"}, "", errors.New("no right"))
		answers := []error{&meta.NoKindMatchError{}, forbidden, forbidden, nil}
		var told, happened []string
		k := &kinds{
			log:   funcr.New(func(_, line string) { told = append(told, line) }, funcr.Options{}),
			all:   []children.Kind{{Name: "Service"}, {Name: "Gadget", Optional: true}},
			found: map[string]bool{},
			watch: func(kind children.Kind) error { happened = append(happened, "watch "+kind.Name); return nil },
			wake:  func(context.Context) { happened = append(happened, "wake") },
		}
		k.serves = func(context.Context, children.Kind) (err error) {
			if served := k.served(); len(served) != 1 {
				t.Errorf("%d kinds are served before the answer %v", len(served), answers[0])
			}
			err, answers = answers[0], answers[1:]
			return err
		}
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"watch Gadget", "wake"}, happened); diff != "" {
			t.Errorf("what happened (-want +got):\n%s", diff)
		}
		if len(k.served()) != 2 || len(told) != 1 {
			t.Errorf("%d kinds are served, want 2; the log says\n%q, want one line", len(k.served()), told)
		}
	})
}
