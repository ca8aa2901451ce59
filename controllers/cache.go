package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// CacheOptions are those of the manager's cache: of the kinds that children have,
// only what has the operator's labels; of Deployments, what apply.Compact leaves; of
// Secrets, only metadata; of everything, no managed fields. namespaces limits what is watched; empty is all of them.
func CacheOptions(namespaces []string) cache.Options {
	ours := cache.ByObject{Label: managed()}
	return cache.Options{
		DefaultNamespaces: only(namespaces),
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:            {Label: managed(), Transform: compact},
			&corev1.Service{}:               ours,
			&corev1.ServiceAccount{}:        ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&corev1.Pod{}:                   {Label: managed(), Transform: strip},
			&corev1.Secret{}:                {Transform: stripSecret},
		},
	}
}

// OwnSecretsCacheOptions are those of a second cache for the operator's own
// Secrets with the digests of their data; that of API keys is whole. A cache has one scope for each kind: with this one
// alone users' Secrets could not be seen, and with the first one alone neither
// could a change of one's own.
func OwnSecretsCacheOptions(namespaces []string) cache.Options {
	return cache.Options{
		DefaultNamespaces: only(namespaces),
		ByObject:          map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: managed(), Transform: compact}},
	}
}

func compact(object any) (any, error) {
	object, err := cache.TransformStripManagedFields()(object)
	if err != nil {
		return nil, err
	}
	return apply.Compact(object)
}

func managed() labels.Selector {
	return labels.SelectorFromSet(labels.Set{children.LabelManagedBy: children.ManagedBy})
}

func only(namespaces []string) map[string]cache.Config {
	if len(namespaces) == 0 {
		return nil
	}
	configs := make(map[string]cache.Config, len(namespaces))
	for _, namespace := range namespaces {
		configs[namespace] = cache.Config{}
	}
	return configs
}
