module sigs.k8s.io/controller-runtime/tools/setup-envtest

go 1.26.0
