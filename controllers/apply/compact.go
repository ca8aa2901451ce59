package apply

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Compact is a transform for the cache and the Memory from which an Applier reads. The pod template of a Deployment and
// the files of a configuration are most of the children's weight, and are only compared: digests stand for them. The
// token of the report stays, since the operator shows it to the connector. A pod template that others changed stays
// whole. A compact object stays as it is.
func Compact(object any) (any, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		compactDeployment(o)
	case *corev1.Secret:
		if _, config := o.Annotations[marks.AnnotationConfigDigest]; config {
			for name, content := range o.Data {
				if name != render.FileReportToken {
					o.Data[name] = []byte(Digest(content))
				}
			}
		}
	}
	return object, nil
}

func compactDeployment(d *appsv1.Deployment) {
	applied, there := d.Annotations[marks.AnnotationTemplate]
	if !there || isDigest(applied) {
		return
	}
	digest := Digest([]byte(applied))
	d.Annotations[marks.AnnotationTemplate] = digest
	if holdsTemplate(&d.Spec.Template, applied) {
		d.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
			Annotations: map[string]string{marks.AnnotationTemplate: digest},
		}}
	}
}

func holdsTemplate(live *corev1.PodTemplateSpec, applied string) bool {
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return false
	}
	var want map[string]any
	return utiljson.Unmarshal([]byte(applied), &want) == nil && keysOf(children.PodTemplateMerge).contains(have, want)
}

// compactWanted changes an apply configuration as Compact changes the object, so that both can be compared. A pod
// template that Compact left whole is compared as a whole.
func compactWanted(want, have map[string]any) {
	annotations := annotationsOf(want)
	if template, there := annotations[marks.AnnotationTemplate].(string); there {
		digest := Digest([]byte(template))
		annotations[marks.AnnotationTemplate] = digest
		if _, compact := annotationsOf(object(object(have, "spec"), "template"))[marks.AnnotationTemplate]; compact {
			object(want, "spec")["template"] = map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{marks.AnnotationTemplate: digest}},
			}
		}
	}
	if _, config := annotations[marks.AnnotationConfigDigest]; config {
		data := object(want, "data")
		for name, encoded := range data {
			if name == render.FileReportToken {
				continue
			}
			text, _ := encoded.(string)
			content, _ := base64.StdEncoding.DecodeString(text) // it was encoded a moment ago
			data[name] = base64.StdEncoding.EncodeToString([]byte(Digest(content)))
		}
	}
}

func annotationsOf(of map[string]any) map[string]any {
	return object(object(of, "metadata"), "annotations")
}

func object(of map[string]any, field string) map[string]any {
	o, _ := of[field].(map[string]any)
	return o
}

const digestPrefix = "sha256:"

// Digest stands for content in the cache. A digest's is itself.
func Digest(content []byte) string {
	if isDigest(string(content)) {
		return string(content)
	}
	sum := sha256.Sum256(content)
	return digestPrefix + hex.EncodeToString(sum[:])
}

func isDigest(text string) bool { return strings.HasPrefix(text, digestPrefix) }
