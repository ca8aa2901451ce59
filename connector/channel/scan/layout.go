package scan

import (
	"fmt"
	"strings"
)

// MaxMembers is the largest number of members of a layout, the objects around others counted.
const MaxMembers = 24

// Root is the outermost object, as the parent of a member.
const Root = -1

// Member is one that a layout reads.
type Member struct {
	path string
	raw  bool
}

// At is the member at a path of names, with dots between them: "sender.id". It is a text, or the object around other
// members of the layout.
func At(path string) Member { return Member{path: path} }

// Raw is the member at a path. It is of any kind, and read as the bytes that it has in the body.
func Raw(path string) Member { return Member{path: path, raw: true} }

// node is a member in a layout. The first node is the outermost object, and that of member i is i + 1.
type node struct {
	// within are the members of an object; nil for a member that holds no other.
	within []child
	raw    bool
}

// child is a member of an object, and its node. Few stand in one object, so looking at each is faster than a map.
type child struct {
	name string
	node int
}

// find returns the node of a member of an object.
func (n *node) find(name []byte) (at int, known bool) {
	for i := range n.within {
		if n.within[i].name == string(name) {
			return n.within[i].node, true
		}
	}
	return 0, false
}

// Layout says which members of a body are read. It is immutable.
type Layout struct {
	nodes []node
	looks func(parent int, name []byte) bool
}

// NewLayout returns a layout. Its members are asked for by their index. An object around a member of the list need not
// be in the list itself. NewLayout panics if the list is no layout, since it is part of a program.
func NewLayout(list ...Member) *Layout {
	l := &Layout{nodes: make([]node, len(list)+1)}
	l.nodes[0].within = []child{}
	paths := map[string]int{"": 0}
	for i, m := range list {
		if _, twice := paths[m.path]; twice {
			panic(fmt.Sprintf("scan: member %q stands twice in a layout", m.path))
		}
		paths[m.path], l.nodes[i+1].raw = i+1, m.raw
	}
	for i, m := range list {
		l.place(m.path, i+1, paths)
	}
	if len(l.nodes)-1 > MaxMembers {
		panic(fmt.Sprintf("scan: a layout with %d members and objects around them: at most %d", len(l.nodes)-1, MaxMembers))
	}
	return l
}

// place puts a node into the object around it, and that into the next one.
func (l *Layout) place(path string, at int, paths map[string]int) {
	around, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		around, name = path[:dot], path[dot+1:]
	}
	parent, known := paths[around]
	if !known {
		parent = len(l.nodes)
		l.nodes, paths[around] = append(l.nodes, node{}), parent
		l.place(around, parent, paths)
	}
	if l.nodes[parent].raw {
		panic(fmt.Sprintf("scan: member %q stands within one that is read raw", path))
	}
	l.nodes[parent].within = append(l.nodes[parent].within, child{name, at})
}

// WithLookalikes returns the layout with a rule: looks reports whether other readers may take an unread member, in the
// object with the index parent, for one of the layout. The objects outside of the list have no index that means
// anything.
func (l *Layout) WithLookalikes(looks func(parent int, name []byte) bool) *Layout {
	return &Layout{l.nodes, looks}
}
