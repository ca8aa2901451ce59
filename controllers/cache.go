package controllers

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// CacheOptions are those of a scope's objects: of the kinds that children have,
// only what has the operator's labels; of Secrets, only metadata; of everything,
// no managed fields. namespace limits what is watched; empty is all of them.
func CacheOptions(namespace string) cache.Options {
	ours := cache.ByObject{Label: managed()}
	return cache.Options{
		DefaultNamespaces: only(namespace),
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:            ours,
			&corev1.Service{}:               ours,
			&corev1.ServiceAccount{}:        ours,
			&corev1.PersistentVolumeClaim{}: ours,
			&corev1.Pod{}:                   {Label: managed(), Transform: strip},
			&corev1.Secret{}:                {Transform: stripSecret},
		},
	}
}

// OwnSecretsCacheOptions are those of a second cache for the operator's own
// Secrets with their data. A cache has one scope for each kind: with this one
// alone users' Secrets could not be seen, and with the first one alone neither
// could a change of one's own.
func OwnSecretsCacheOptions(namespace string) cache.Options {
	return cache.Options{
		DefaultNamespaces: only(namespace),
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject:          map[client.Object]cache.ByObject{&corev1.Secret{}: {Label: managed()}},
	}
}

func managed() labels.Selector {
	return labels.SelectorFromSet(labels.Set{children.LabelManagedBy: children.ManagedBy})
}

func only(namespace string) map[string]cache.Config {
	if namespace == metav1.NamespaceAll {
		return nil
	}
	return map[string]cache.Config{namespace: {}}
}
