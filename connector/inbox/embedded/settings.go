// Package embedded is the section of the inbox that is a folder of this machine. It knows nothing of the store behind
// it, so that programs that only write or check configurations link none in.
package embedded

import "xbot.a4b.vn/channel-connector/connector/config"

// Type is the inbox in the connector's own process, on its own disk.
var Type = config.Type{Name: "Embedded", New: func() config.Section { return &Settings{MaxSize: 1 << 30} }}

// Settings is a store in a folder.
type Settings struct {
	// Path is the folder, created when absent. One process at a time uses it. Required.
	Path string `yaml:"path,omitempty" file:"path"`
	// MaxSize bounds everything that the store has on disk; at the bound calls are answered 503 and deliveries go on.
	// A change is applied without a restart; below the present size the inbox is full until it holds less. At least
	// 64Mi. Default: 1Gi.
	MaxSize config.Size `yaml:"maxSize,omitempty"`
}

// MinSize leaves the store room for its log and for compaction, in bytes.
const MinSize = 64 << 20

// Check says what is wrong with the section.
func (s *Settings) Check(c *config.Checker) {
	c.Required("path", s.Path)
	if s.MaxSize < MinSize {
		c.Problemf("maxSize", "want at least 64Mi")
	}
}

// Bound is MaxSize in bytes.
func (s *Settings) Bound() int64 { return int64(s.MaxSize) }

// AtStart implements config.Reloadable: only the bound can change while the store is open.
func (s *Settings) AtStart() config.Section { return &Settings{Path: s.Path} }

// Folder is where the store is.
func (s *Settings) Folder() string { return s.Path }
