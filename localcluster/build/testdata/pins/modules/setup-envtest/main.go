// A stand-in for setup-envtest. FAKE_INDEX says how the world looks to it:
// unreachable (also when unset), silent, empty, published, or incomplete.
package main

import (
	"os"
	"path/filepath"
	"time"
)

func main() {
	index := os.Getenv("FAKE_INDEX")
	switch index {
	case "empty":
		return
	case "silent":
		time.Sleep(time.Hour)
	case "published", "incomplete":
		if os.Args[1] == "list" {
			os.Stdout.WriteString("(available)  v1.36.1  any/any\n")
			return
		}
		use(os.Args[3], index == "published")
	default:
		os.Stderr.WriteString("the index cannot be reached\n")
		os.Exit(2)
	}
}

// use does what `use --bin-dir DIR --print path 1.36.x` does.
func use(store string, whole bool) {
	dir := filepath.Join(store, "k8s", "1.36.1-any-any")
	check(os.MkdirAll(dir, 0o755))
	names := []string{"kube-apiserver", "kubectl"}
	if whole {
		names = append(names, "etcd")
	}
	for _, name := range names {
		check(os.WriteFile(filepath.Join(dir, name), []byte("downloaded"), 0o555))
	}
	check(os.Chmod(dir, 0o555))
	os.Stdout.WriteString(dir)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
