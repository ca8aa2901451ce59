package children

import (
	"cmp"
	"maps"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;patch;delete

// ingress leads calls from outside the cluster through the controller of an IngressClass. Its lists have no keys: the
// API server replaces each as a whole.
var ingress = Kind{
	Name: "Ingress", Want: wantIngress, Replace: declaresAnotherClass, Outer: true,
	New:   func() client.Object { return &networkingv1.Ingress{} },
	Prune: func(Input) bool { return true },
}

func wantIngress(in Input) runtime.ApplyConfiguration {
	c := in.Connector
	if c.Spec.Exposure == nil || c.Spec.Exposure.Ingress == nil {
		return nil
	}
	paths := routed(in)
	if len(paths) == 0 {
		return nil
	}
	declared, rule := c.Spec.Exposure.Ingress, networkingv1ac.HTTPIngressRuleValue()
	backend := networkingv1ac.IngressBackend().WithService(networkingv1ac.IngressServiceBackend().
		WithName(ConnectorName(c.Name)).WithPort(networkingv1ac.ServiceBackendPort().WithNumber(servicePort(c))))
	for _, path := range paths {
		rule.WithPaths(networkingv1ac.HTTPIngressPath().WithPath(path).WithPathType(networkingv1.PathTypeExact).WithBackend(backend))
	}
	spec := networkingv1ac.IngressSpec().
		WithRules(networkingv1ac.IngressRule().WithHost(string(declared.Host)).WithHTTP(rule))
	if declared.ClassName != "" {
		spec.WithIngressClassName(declared.ClassName)
	}
	if declared.TLSSecretName != "" {
		spec.WithTLS(networkingv1ac.IngressTLS().WithHosts(string(declared.Host)).WithSecretName(declared.TLSSecretName))
	}
	return networkingv1ac.Ingress(ConnectorName(c.Name), c.Namespace).
		WithLabels(Labels(c.Name)).
		WithAnnotations(theirs(declared.Annotations)).
		WithAnnotations(annotations(c)).
		WithAnnotations(map[string]string{
			marks.AnnotationIngressClass: cmp.Or(declared.ClassName, string(declared.Annotations[annotationClass])),
		}).
		WithOwnerReferences(owner(c)...).
		WithSpec(spec)
}

// annotationClass names the class to older controllers, and to GKE's.
const annotationClass = "kubernetes.io/ingress.class"

// declaresAnotherClass reports whether an Ingress has the class that the resource declared before. Its status would stay
// that of the class's controller, with an address that nobody serves any more, and the cluster's default class is filled
// in only when an Ingress is made. A class that the resource never declared says nothing: admission filled it in.
func declaresAnotherClass(wanted runtime.ApplyConfiguration, live client.Object) bool {
	desired, isIngress := wanted.(*networkingv1ac.IngressApplyConfiguration)
	there, ok := live.(*networkingv1.Ingress)
	if !ok || !isIngress {
		return false
	}
	if desired.Spec.IngressClassName != nil && desired.Annotations[annotationClass] != "" { // it could not be made again
		return false
	}
	declared, has := desired.Annotations[marks.AnnotationIngressClass], ptr.Deref(there.Spec.IngressClassName, "")
	before, known := there.Annotations[marks.AnnotationIngressClass]
	return known && before != declared && cmp.Or(has, there.Annotations[annotationClass]) != declared
}

// theirs leaves out what only the operator writes: it would compare its own marks with the declared ones.
func theirs(annotations map[string]v1alpha1.AnnotationValue) map[string]string {
	left := as[map[string]string](annotations)
	maps.DeleteFunc(left, func(name, _ string) bool { return strings.HasPrefix(name, marks.Domain) })
	return left
}
