// A stand-in for kube-apiserver that prints its version.
package main

import (
	"os"

	"k8s.io/component-base/version"
)

func main() { os.Stdout.WriteString(version.Stamps()) }
