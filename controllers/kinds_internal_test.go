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

// TestKindsComeAndGo: children of an optional kind are left out of a place until the cluster serves it and the operator may
// list it there, and again once it is gone. A place that it may not list keeps it from no other one. No place is watched
// twice, whatever fails in between.
func TestKindsComeAndGo(t *testing.T) {
	gadgets := schema.GroupResource{Resource: "gadgets"}
	absent, gone := &meta.NoKindMatchError{}, apierrors.NewNotFound(gadgets, "")
	forbidden, unanswered := apierrors.NewForbidden(gadgets, "", errors.New("no right")), errors.New("no answer")
	looks := []struct {
		serves   map[string]error
		watch    error
		happened []string
		// served are the numbers of kinds in both places.
		served [2]int
		told   int
	}{
		{serves: map[string]error{"one": absent, "two": forbidden}, served: [2]int{1, 1}},
		{serves: map[string]error{"one": forbidden, "two": forbidden}, served: [2]int{1, 1}, told: 2},
		{serves: map[string]error{"one": forbidden, "two": forbidden}, served: [2]int{1, 1}, told: 2},
		{serves: map[string]error{"two": unanswered}, happened: []string{"watch Gadget in one", "wake"}, served: [2]int{2, 1}, told: 3},
		{watch: errors.New("not watched"), served: [2]int{2, 1}, told: 4},
		{happened: []string{"watch Gadget in two", "wake"}, served: [2]int{2, 2}, told: 4},
		{serves: map[string]error{"one": unanswered}, served: [2]int{2, 2}, told: 4},
		{serves: map[string]error{"one": gone}, happened: []string{"wake"}, served: [2]int{1, 1}, told: 4},
		{serves: map[string]error{"one": absent}, served: [2]int{1, 1}, told: 4},
		{serves: map[string]error{"one": forbidden}, happened: []string{"wake"}, served: [2]int{1, 2}, told: 4},
		{happened: []string{"wake"}, served: [2]int{2, 2}, told: 4},
	}
	synctest.Test(t, func(t *testing.T) {
		var told, happened []string
		log := funcr.New(func(_, line string) { told = append(told, line) }, funcr.Options{})
		k := newKinds(log, []children.Kind{{Name: "Service"}, {Name: "Gadget", Optional: true}}, []string{"one", "two"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		k.wake = func(context.Context) { happened = append(happened, "wake") }
		look := -1
		check := func() {
			if look < 0 {
				return
			}
			want := looks[look]
			served := [2]int{len(k.served("one")), len(k.served("two"))}
			if diff := cmp.Diff(want.happened, happened); diff != "" || served != want.served || len(told) != want.told {
				t.Errorf("look %d: %d kinds are served, want %d; the log says\n%q, want %d lines; what happened (-want +got):\n%s",
					look, served, want.served, told, want.told, diff)
			}
			happened = nil
		}
		k.serves = func(_ context.Context, place string, _ children.Kind) error {
			if place == "one" { // a look begins
				check()
				if look++; look == len(looks) {
					cancel()
					return errors.New("the end")
				}
			}
			return looks[look].serves[place]
		}
		k.watch = func(place string, kind children.Kind) error {
			if err := looks[look].watch; err != nil {
				return err
			}
			happened = append(happened, "watch "+kind.Name+" in "+place)
			return nil
		}
		if err := k.Start(ctx); err != nil || look != len(looks) {
			t.Errorf("%d looks, %v; want %d", look, err, len(looks))
		}
	})
}
