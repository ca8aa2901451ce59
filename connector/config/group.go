package config

import "io/fs"

// OfGroup reports whether a folder belongs to all users of its group: set-group-ID and writable for the group together
// are what Kubernetes leaves on a volume of a pod with an fsGroup, and what an administrator sets by hand for the same
// purpose. What is made in such a folder is for the group, since the next process may be another user of it.
func OfGroup(folder fs.FileInfo) bool {
	return folder.Mode()&fs.ModeSetgid != 0 && folder.Mode()&0o020 != 0
}
