package config

import "io/fs"

// OfGroup reports whether a folder belongs to all users of its group: it has set-group-ID and the group may write.
// Kubernetes sets both on a volume of a pod with an fsGroup, and an administrator may do the same. Files in such a
// folder are made for the group, since the next process may run as another user of it.
func OfGroup(folder fs.FileInfo) bool {
	return folder.Mode()&fs.ModeSetgid != 0 && folder.Mode()&0o020 != 0
}
