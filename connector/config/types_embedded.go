package config

// EmbeddedInbox is a store in a folder.
type EmbeddedInbox struct {
	// Path is the folder, created when absent. One process at a time uses it.
	// Required.
	Path string `yaml:"path,omitempty" file:"path"`
	// MaxSize bounds everything that the store has on disk; at the bound calls
	// are answered 503 and deliveries go on. At least 64Mi. Default: 1Gi.
	MaxSize Size `yaml:"maxSize,omitempty"`
}

// NewEmbeddedInbox returns the section with its defaults.
func NewEmbeddedInbox() *EmbeddedInbox { return &EmbeddedInbox{MaxSize: 1 << 30} }

// minInboxSize leaves the store room for its log and for compaction.
const minInboxSize = Size(64 << 20)

// Check says what is wrong with the section.
func (e *EmbeddedInbox) Check(c *Checker) {
	c.Required("path", e.Path)
	if e.MaxSize < minInboxSize {
		c.Problemf("maxSize", "want at least 64Mi")
	}
}

// Folder is where the store is.
func (e *EmbeddedInbox) Folder() string { return e.Path }
