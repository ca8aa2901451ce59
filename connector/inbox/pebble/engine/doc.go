// Package engine has Pebble, the key-value store, fail as the inbox can bear: an
// Open that returns an error where Pebble panics, a logger that ends the process
// where Pebble cannot go on, and words for what the system below fails with.
package engine
