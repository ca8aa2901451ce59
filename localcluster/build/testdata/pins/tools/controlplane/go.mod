module example.test/controlplane

go 1.26.0

require (
	k8s.io/component-base v0.36.3
	k8s.io/kubernetes v1.36.3
)

replace (
	k8s.io/component-base => ../../modules/component-base
	k8s.io/kubernetes => ../../modules/kubernetes
)
