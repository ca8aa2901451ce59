// Package apiserver prepares the real API servers of the tests.
package apiserver

import (
	"fmt"
	"net"
	"net/url"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// Reserve gives addresses of its own to an environment that was not started. Other processes may take the addresses
// that envtest chooses until etcd and the API server listen, which takes many seconds on a busy machine.
func Reserve(e *envtest.Environment) error {
	addresses, err := reserved.Addresses(2)
	if err != nil {
		return err
	}
	if e.ControlPlane.Etcd == nil {
		e.ControlPlane.Etcd = &envtest.Etcd{}
	}
	e.ControlPlane.Etcd.URL = &url.URL{Scheme: "http", Host: addresses[0]}
	serving := &e.ControlPlane.GetAPIServer().SecureServing
	if serving.Address, serving.Port, err = net.SplitHostPort(addresses[1]); err != nil {
		return fmt.Errorf("address of the API server: %w", err)
	}
	return nil
}
