package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

const kindConfigMap = "ConfigMap"

// declared holds the objects of the files.
type declared struct {
	// namespace is for objects that name none.
	namespace  string
	connectors []*v1alpha1.ChannelConnector
	secrets    map[client.ObjectKey]*corev1.Secret
	configMaps map[client.ObjectKey]*corev1.ConfigMap
}

// readFile reads every document of a file.
func (d *declared) readFile(ctx context.Context, name string, stdin io.Reader) error {
	file, err := open(name, stdin)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(file))
	for i := 1; ; i++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = d.read(ctx, document)
		}
		if err != nil {
			return fmt.Errorf("%s, document %d: %w", name, i, err)
		}
	}
}

func (d *declared) read(ctx context.Context, document []byte) error {
	var kind *metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch {
	case kind == nil: // nothing but comments
		return nil
	case kind.Kind == "ChannelConnector":
		return d.readConnector(ctx, document)
	case kind.Kind == "Secret" && kind.APIVersion == "v1":
		return d.readSecret(document)
	case kind.Kind == kindConfigMap && kind.APIVersion == "v1":
		return d.readConfigMap(document)
	}
	return fmt.Errorf("kind %q: want ChannelConnectors, Secrets and ConfigMaps only", kind.Kind)
}

func (d *declared) readConnector(ctx context.Context, document []byte) error {
	connector, err := schema.Decode(ctx, document)
	if err != nil {
		return err
	}
	if connector.Namespace == "" {
		connector.Namespace = d.namespace
	}
	d.connectors = append(d.connectors, connector)
	return nil
}

// readSecret merges stringData into data, as the API server does.
func (d *declared) readSecret(document []byte) error {
	secret := &corev1.Secret{}
	if err := yaml.UnmarshalStrict(document, secret); err != nil {
		return errors.New("not a Secret: an unknown field, a wrong type, or data that is not base64") // the cause may quote a value
	}
	if secret.Namespace == "" {
		secret.Namespace = d.namespace
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for name, value := range secret.StringData {
		secret.Data[name] = []byte(value)
	}
	d.secrets[client.ObjectKeyFromObject(secret)] = secret
	return nil
}

func (d *declared) readConfigMap(document []byte) error {
	m := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(document, m); err != nil {
		return fmt.Errorf("not a ConfigMap: %w", err)
	}
	if m.Namespace == "" {
		m.Namespace = d.namespace
	}
	d.configMaps[client.ObjectKeyFromObject(m)] = m
	return nil
}
