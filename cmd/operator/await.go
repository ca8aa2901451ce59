package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// awaitInterval is the pause between two calls to an API server that does not answer.
	awaitInterval = time.Second
	// answerTimeout bounds one call.
	answerTimeout = 5 * time.Second
)

// clientConfig returns the API server's address and credentials, from the kubeconfig or the pod.
func clientConfig() (*rest.Config, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		err = fmt.Errorf("find the API server: %w (is there a kubeconfig, or does this run in a cluster?)", err)
	}
	return config, err
}

// awaitAPIServer returns once the API server answers, even with a refusal, or when ctx ends. While the API server is
// away the operator loses its Lease, ends and is started again. If it ended at once each time, kubelet would delay its
// next start for minutes.
func awaitAPIServer(ctx context.Context, config *rest.Config) error {
	config = rest.CopyConfig(config)
	config.Timeout = answerTimeout
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	said := ""
	_ = wait.PollUntilContextCancel(ctx, awaitInterval, true, func(context.Context) (bool, error) {
		_, err := server.ServerVersion()
		if _, answered := errors.AsType[*apierrors.StatusError](err); err == nil || answered {
			return true, nil
		}
		if err.Error() != said {
			ctrl.Log.Info("the API server does not answer: waiting for it", "address", config.Host, "error", err.Error())
			said = err.Error()
		}
		return false, nil
	})
	return nil
}
