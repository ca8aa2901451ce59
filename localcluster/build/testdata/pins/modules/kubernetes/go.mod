module k8s.io/kubernetes

go 1.26.0

require k8s.io/component-base v0.36.3
