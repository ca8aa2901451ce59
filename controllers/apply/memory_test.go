package apply

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// TestContestsAreForgotten with the resource, the object, and the wish for it.
func TestContestsAreForgotten(t *testing.T) {
	for name, forget := range map[string]func(*contest){
		"the resource": func(x *contest) { x.Contests.Forget(shop) },
		"the wish":     func(x *contest) { x.Contests.Keep(shop, []children.Child{child(x.t, x.owner, "Service")}) },
		"the object": func(x *contest) {
			x.Contests.judge(contestKey{shop, `Deployment "shop-connector"`, "another"}, "", true, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newContest(t, "Deployment")
			x.damp(scale)
			if x.Contests.Left() != 1 {
				t.Errorf("%d left", x.Contests.Left())
			}
			forget(x)
			if all, _ := x.Contests.Of(shop); len(all) != 0 || x.Contests.Left() != 0 || x.Contests.children != 0 || x.Contests.fields != 0 {
				t.Errorf("got %v, %d left of %d", all, x.Contests.Left(), x.Contests.fields)
			}
		})
	}
}

func at(path string, want any) difference {
	return difference{fieldPath{{name: "spec"}, {name: path}}, want}
}

// TestContestsAreBounded: what is beyond the bounds is put back at once, each time, and what is old makes room.
func TestContestsAreBounded(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	c := NewContests(clock)
	key := func(n int) contestKey {
		return contestKey{client.ObjectKey{Name: fmt.Sprint(n)}, `Deployment "d"`, types.UID(fmt.Sprint(n))}
	}
	var many []difference
	for n := range maxFieldsPerChild + 1 {
		many = append(many, at(fmt.Sprintf("f%d", n), 1))
	}
	for n := range maxChildren + 10 {
		c.wrote(key(n), "d", many, nil)
	}
	if c.children != maxChildren || c.fields != maxFields || len(c.owners) != maxChildren {
		t.Errorf("%d children and %d fields of %d owners", c.children, c.fields, len(c.owners))
	}
	for range 3 * promptCorrections {
		if j := c.judge(key(maxChildren), "d", true, many); len(j.corrected) != len(many) {
			t.Fatalf("%d corrected", len(j.corrected))
		}
		c.wrote(key(maxChildren), "d", many, nil)
	}
	clock.SetTime(clock.Now().Add(quiet))
	c.wrote(key(maxChildren), "d", many, nil)
	if c.children != 1 || c.fields != maxFieldsPerChild {
		t.Errorf("%d children and %d fields later", c.children, c.fields)
	}
}

// TestContestsKeepTheirRules whatever happens in which order: between two corrections of a field that are not prompt
// lies a pause, counts are those of what is there, and everything is forgotten in the end.
func TestContestsKeepTheirRules(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		clock := testingclock.NewFakePassiveClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
		c, key := NewContests(clock), contestKey{shop, `Deployment "d"`, "1"}
		corrected := map[string][]time.Time{}
		for range 300 {
			clock.SetTime(clock.Now().Add(time.Duration(random.Int64N(int64(20 * time.Second)))))
			var differs []difference
			for _, name := range []string{"a", "b", "c"} {
				if random.IntN(4) > 0 {
					differs = append(differs, at(name, 1))
				}
			}
			j := c.judge(key, "d", true, differs)
			if len(j.left)+len(j.corrected) != len(differs) {
				t.Fatalf("seed %d: %d differences become %v", seed, len(differs), j)
			}
			if len(j.corrected) > 0 {
				c.wrote(key, "d", j.corrected, nil)
			}
			for _, d := range j.corrected {
				corrected[d.path.String()] = append(corrected[d.path.String()], clock.Now())
			}
			if all, next := c.Of(shop); (len(all) > 0) != (next > 0) || len(all) != c.Left() {
				t.Fatalf("seed %d: %v, next %v, %d left", seed, all, next, c.Left())
			}
		}
		for path, times := range corrected {
			for i := promptCorrections; i < len(times); i++ {
				if within := times[i].Sub(times[i-promptCorrections]); within < minPause {
					t.Errorf("seed %d: %s was put back %d times within %v", seed, path, promptCorrections+1, within)
				}
			}
		}
		clock.SetTime(clock.Now().Add(maxPause + quiet))
		c.wrote(contestKey{client.ObjectKey{Name: "other"}, `Service "d"`, "2"}, "d", nil, nil)
		if all, _ := c.Of(shop); len(all) != 0 || c.Left() != 0 || c.fields != 0 || c.children != 1 {
			t.Errorf("seed %d: %v, %d left, %d fields of %d children in the end", seed, all, c.Left(), c.fields, c.children)
		}
	}
}

// TestContestsMakeRoom: what one namespace fills does not keep another one's fields from being left as they are.
func TestContestsMakeRoom(t *testing.T) {
	fields := func(n int) (all []difference) {
		for i := range n {
			all = append(all, at(fmt.Sprintf("f%d", i), 1))
		}
		return all
	}
	child := func(namespace string, n int) contestKey {
		return contestKey{client.ObjectKey{Namespace: namespace, Name: fmt.Sprint(n)}, `Deployment "d"`, types.UID(fmt.Sprint(n))}
	}
	const full = maxFields / maxFieldsPerChild
	for name, c := range map[string]struct {
		// children are how many each namespace has; each child has so many fields.
		children map[string]int
		fields   int
		room     bool
	}{
		"another one has all fields":           {map[string]int{"many": full + 1}, maxFieldsPerChild, true},
		"another one has all children":         {map[string]int{"many": maxChildren}, 0, true},
		"another one has both":                 {map[string]int{"many": maxChildren}, 1, true},
		"several others have them":             {map[string]int{"many": full / 2, "more": full/2 + 1}, maxFieldsPerChild, true},
		"it has them itself":                   {map[string]int{"few": full + 1}, maxFieldsPerChild, false},
		"it has all children itself":           {map[string]int{"few": maxChildren}, 0, false},
		"another one has as many, within them": {map[string]int{"few": maxFields / 2, "many": maxFields / 2}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock := testingclock.NewFakePassiveClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
			x := NewContests(clock)
			for _, namespace := range slices.Sorted(maps.Keys(c.children)) {
				for n := range c.children[namespace] {
					x.wrote(child(namespace, n), "d", fields(c.fields), nil)
				}
			}
			key := child("few", maxChildren)
			for range promptCorrections {
				x.wrote(key, "d", x.judge(key, "d", true, fields(1)).corrected, nil)
			}
			if j := x.judge(key, "d", true, fields(1)); (len(j.left) == 1) != c.room {
				t.Errorf("%d left as they are, %d put back", len(j.left), len(j.corrected))
			}
			if x.children > maxChildren || x.fields > maxFields {
				t.Errorf("%d children and %d fields", x.children, x.fields)
			}
			clock.SetTime(clock.Now().Add(maxPause + quiet))
			x.wrote(child("later", 0), "d", nil, nil)
			if x.children != 1 || x.fields != 0 || len(x.namespaces) != 1 {
				t.Errorf("%d children and %d fields of %d namespaces later", x.children, x.fields, len(x.namespaces))
			}
		})
	}
}
