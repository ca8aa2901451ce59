// Package version is stamped as the real one is.
package version

var gitVersion, gitMajor, gitMinor, gitTreeState string

// Stamps returns what the linker was told.
func Stamps() string {
	return gitVersion + " " + gitMajor + " " + gitMinor + " " + gitTreeState
}
