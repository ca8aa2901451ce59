package controllers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// TestCensus: whatever comes and goes in which order, the oldest of a namespace are served, and one that leaves names
// the one that follows.
func TestCensus(t *testing.T) {
	const limit = 3
	for seed := range uint64(50) {
		random, c := rand.New(rand.NewPCG(seed, 1)), newCensus(limit)
		var there []*v1alpha1.ChannelConnector
		for range 100 {
			if len(there) > 0 && random.IntN(3) == 0 {
				at := random.IntN(len(there))
				gone := there[at]
				there = slices.Delete(there, at, at+1)
				served, concerned := c.serves(gone), keys{}
				c.change(claimantOf(gone), nil, concerned)
				next := ""
				for key := range concerned {
					next = key.Name
				}
				follows := slices.IndexFunc(there, func(o *v1alpha1.ChannelConnector) bool { return o.Name == next })
				if next != "" && follows != limit-1 {
					t.Fatalf("seed %d: %s follows, the %d-th of %d", seed, next, follows, len(there))
				} else if next == "" && served && len(there) >= limit {
					t.Fatalf("seed %d: nobody follows", seed)
				}
			} else {
				o := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{
					Namespace: "chat", Name: fmt.Sprintf("shop-%d", random.IntN(20)),
					CreationTimestamp: metav1.Unix(int64(random.IntN(5)), 0),
				}}
				var was *claimant
				if at := slices.IndexFunc(there, func(other *v1alpha1.ChannelConnector) bool { return other.Name == o.Name }); at >= 0 {
					was, there = claimantOf(there[at]), slices.Delete(there, at, at+1)
				}
				there = append(there, o)
				c.change(was, claimantOf(o), keys{})
				concerned := keys{}
				if c.change(claimantOf(o), claimantOf(o), concerned); len(concerned) > 0 {
					t.Fatalf("seed %d: an edit concerns %v", seed, concerned)
				}
			}
			slices.SortFunc(there, func(a, b *v1alpha1.ChannelConnector) int { return byAge(claimantOf(a), claimantOf(b)) })
			for i, o := range there {
				if c.serves(o) != (i < limit) {
					t.Fatalf("seed %d: %s, the %d-th, is served: %v", seed, o.Name, i, i >= limit)
				}
			}
			if c.over != max(0, len(there)-limit) {
				t.Fatalf("seed %d: %d of %d over", seed, c.over, len(there))
			}
		}
		for _, o := range there {
			c.change(claimantOf(o), nil, keys{})
		}
		if len(c.residents.by) != 0 || c.over != 0 {
			t.Errorf("seed %d: %v is kept", seed, c.residents.by)
		}
	}
}

// TestNoCensus: without a bound every one is served, and nothing is kept.
func TestNoCensus(t *testing.T) {
	c, o := newCensus(0), &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Unix(1, 0))}}
	c.change(nil, claimantOf(o), keys{})
	if !c.serves(o) || len(c.residents.by) != 0 {
		t.Errorf("%v is kept", c.residents.by)
	}
}

func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		names Names
		want  bool
	}{
		"no limit":            {nil, true},
		"nothing":             {Names{}, false},
		"everything":          {Names{"*"}, true},
		"the name":            {Names{"other", "example.com/team"}, true},
		"a beginning":         {Names{"example.com/*"}, true},
		"the whole and more":  {Names{"example.com/team*"}, true},
		"another":             {Names{"example.com", "example.com/team-a", "team", "example.com/x*"}, false},
		"not that of another": {Names{"example.org/*"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.names.Check(); err != nil {
				t.Error(err)
			}
			if got := c.names.allow("example.com/team"); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	for _, bad := range []string{"", " a", "a*b", "*a", "a b"} {
		if (Names{bad}).Check() == nil {
			t.Errorf("%q passes", bad)
		}
	}
}
