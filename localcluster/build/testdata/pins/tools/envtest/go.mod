module example.test/envtest

go 1.26.0

require sigs.k8s.io/controller-runtime/tools/setup-envtest v0.25.1

replace sigs.k8s.io/controller-runtime/tools/setup-envtest => ../../modules/setup-envtest
