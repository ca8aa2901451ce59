package controllers

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// journal is an API server with so many events of the older API, each with a note of so many bytes.
type journal struct {
	events, note int
	// largest is the largest answer, and all of them together, in bytes.
	largest, all int
}

// Get is not called.
func (*journal) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}

// List returns a page, as an API server does.
func (j *journal) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(opts)
	list, ok := into.(*eventsv1.EventList)
	if !ok {
		return fmt.Errorf("a list of %T", into)
	}
	from, _ := strconv.Atoi(o.Continue)
	for i := from; i < j.events; i++ {
		if o.Limit > 0 && int64(i-from) == o.Limit {
			list.Continue = strconv.Itoa(i)
			break
		}
		list.Items = append(list.Items, eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: strconv.Itoa(i)}, Reason: "FailedMount", Note: fmt.Sprintf("%d %s", i, strings.Repeat("x", j.note)),
		})
	}
	j.largest, j.all = max(j.largest, list.Size()), j.all+list.Size()
	return nil
}

// TestHearWarnings: as many events as before are read, and few of those that are as large as an object may be.
func TestHearWarnings(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		journal
		want int
	}{
		"none":          {journal{}, 0},
		"a few":         {journal{events: 7, note: 200}, 7},
		"more":          {journal{events: 150, note: 200}, 100},
		"large ones":    {journal{events: 150, note: 1400 << 10}, 5},
		"one page each": {journal{events: 10, note: 1 << 10}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pass{reconciler: &reconciler{live: &c.journal}}
			got := p.hearWarnings(t.Context(), &appsv1.Deployment{}, &corev1.Pod{})
			if len(got) != c.want {
				t.Errorf("%d warnings, want %d", len(got), c.want)
			}
			if c.largest > 8*mib || c.all > 8*mib {
				t.Errorf("%d KiB were read, %d KiB at a time", c.all>>10, c.largest>>10)
			}
			for i, w := range got {
				if len(w.Message) > 1024 || !strings.HasPrefix(w.Message, fmt.Sprintf("%d x", i)) {
					t.Errorf("%d bytes: %.20s", len(w.Message), w.Message)
				}
			}
		})
	}
}
