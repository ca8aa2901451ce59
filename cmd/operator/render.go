package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

const renderExample = `  # the files hold secrets
  umask 077

  # a running connector without an operator: the first time, with an API key
  operator render -f shop.yaml -f secrets.yaml --connector-image channel-connector:1.0 --generate-api-key | kubectl apply --server-side -f -
  kubectl -n chat get secret shop-api-key -o yaml >api-key.yaml

  # what would change
  operator render -f shop.yaml -f secrets.yaml -f api-key.yaml --connector-image channel-connector:1.0 | kubectl diff -f -

  # from then on
  operator render -f shop.yaml -f secrets.yaml -f api-key.yaml --connector-image channel-connector:1.0 | kubectl apply --server-side -f -`

// rendering is one call of the command render.
type rendering struct {
	files            []string
	image, namespace string
	generateAPIKeys  bool
	out, warnings    io.Writer

	documents bytes.Buffer
}

func newRender() *cobra.Command {
	r := &rendering{}
	command := &cobra.Command{
		Use:   "render -f FILE",
		Short: "Print every child of ChannelConnectors without a cluster",
		Long: "Print, in YAML, every object that the operator would make of the ChannelConnectors in the files. " +
			"The files must also hold the Secrets and ConfigMaps that these name. A ChannelConnector that names no API key needs its " +
			"Secret NAME-api-key in the files, or --generate-api-key. The output holds secrets.",
		Example: renderExample,
		Args:    cobra.NoArgs,
		PreRunE: fromEnvironment,
		RunE: func(command *cobra.Command, _ []string) error {
			r.out, r.warnings = command.OutOrStdout(), command.ErrOrStderr()
			return r.run(command.Context(), command.InOrStdin())
		},
	}
	flags := command.Flags()
	flags.StringArrayVarP(&r.files, "filename", "f", nil,
		"a file with ChannelConnectors, Secrets and ConfigMaps; - is standard input; may be given several times")
	flags.StringVar(&r.image, "connector-image", "", "the connector's container image; required")
	flags.StringVarP(&r.namespace, "namespace", "n", "default", "the namespace of objects that name none")
	flags.BoolVar(&r.generateAPIKeys, "generate-api-key", false,
		"make the API key of a ChannelConnector that names none, if its Secret is not in the files: a new key each time")
	describe(flags)
	_ = command.MarkFlagRequired("filename") // it exists
	return command
}

func (r *rendering) run(ctx context.Context, stdin io.Reader) error {
	if err := requireImage(r.image); err != nil {
		return err
	}
	declared := &declared{
		namespace: r.namespace, secrets: map[client.ObjectKey]*corev1.Secret{}, configMaps: map[client.ObjectKey]*corev1.ConfigMap{},
	}
	for _, name := range r.files {
		if err := declared.readFile(ctx, name, stdin); err != nil {
			return err
		}
	}
	if len(declared.connectors) == 0 {
		return errors.New("the files hold no ChannelConnector")
	}
	for _, connector := range declared.connectors {
		if err := r.connector(ctx, connector, declared); err != nil {
			return fmt.Errorf("ChannelConnector %q: %w", connector.Name, err)
		}
	}
	_, err := r.documents.WriteTo(r.out) // all or nothing
	return err
}

// connector adds the children of one resource.
func (r *rendering) connector(ctx context.Context, c *v1alpha1.ChannelConnector, from *declared) error {
	if err := r.generateAPIKey(c, from); err != nil {
		return err
	}
	resolved, err := credentials.Resolve(ctx, credentials.Input{
		Connector: c, Generated: children.APIKeyName(c.Name), From: from.source(c.Namespace), SharedWith: from.sharedWith(c),
	})
	if err := errors.Join(err, resolved.Unread); err != nil {
		return err
	}
	var blocking []error
	for _, f := range resolved.Findings {
		if f.Blocking && !f.Passing {
			blocking = append(blocking, errors.New(f.Message))
		} else {
			fmt.Fprintln(r.warnings, "Warning:", f.Message)
		}
	}
	if len(blocking) > 0 {
		return errors.Join(blocking...)
	}
	if resolved.Registering != nil {
		fmt.Fprintf(r.warnings, "Warning: ChannelConnector %q: nothing registers its webhook without the operator: tell %s yourself where "+
			"to call\n", c.Name, types.Channel(string(c.Spec.Type)).Platform)
	}
	config, err := render.Render(c, resolved.Credentials)
	if err != nil {
		return err
	}
	in := children.Input{Connector: c, Image: r.image, Config: config, StartDigest: config.StartDigest}
	for _, child := range children.Build(children.Kinds, in) {
		if err := r.add(child.Desired); err != nil {
			return err
		}
	}
	return nil
}

// generateAPIKey makes and adds the Secret with the API key of a resource that names none, unless the files have it. It
// does so only if asked: a second rendering, applied, would replace the key in the platform's console.
func (r *rendering) generateAPIKey(c *v1alpha1.ChannelConnector, from *declared) error {
	key := client.ObjectKey{Namespace: c.Namespace, Name: children.APIKeyName(c.Name)}
	if len(c.Spec.Webhook.APIKeys) > 0 || from.secrets[key] != nil {
		return nil
	}
	if !r.generateAPIKeys {
		return fmt.Errorf("spec.webhook.apiKeys names no key, and the files hold no Secret %q with a generated one. "+
			"Add that Secret, for example from \"kubectl -n %s get secret %s -o yaml\", or make it once with --generate-api-key and keep it: "+
			"each new key has to be pasted into %s's console", key.Name, key.Namespace, key.Name, types.Channel(string(c.Spec.Type)).Platform)
	}
	secret, err := children.APIKeySecret(c)
	if err != nil {
		return err
	}
	from.secrets[key] = secret
	return r.add(secret)
}

func (r *rendering) add(object any) error {
	document, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	fmt.Fprintf(&r.documents, "---\n%s", document)
	return nil
}

// source finds Secrets and ConfigMaps among those that were read.
func (d *declared) source(namespace string) credentials.Source {
	return func(_ context.Context, object render.Object) (map[string][]byte, error) {
		key := client.ObjectKey{Namespace: namespace, Name: object.Name}
		if m := d.configMaps[key]; m != nil && object.Kind == render.KindConfigMap {
			return credentials.OfConfigMap(m), nil
		}
		if secret := d.secrets[key]; secret != nil && object.Kind == render.KindSecret {
			return secret.Data, nil
		}
		return nil, apierrors.NewNotFound(corev1.Resource(string(object.Kind)), object.Name)
	}
}

// sharedWith finds others in the files that name a Secret key as their own.
func (d *declared) sharedWith(c *v1alpha1.ChannelConnector) func(v1alpha1.SecretKeyRef) string {
	others := map[v1alpha1.SecretKeyRef]string{}
	for _, other := range d.connectors {
		if other.Namespace != c.Namespace || other.Name == c.Name {
			continue
		}
		_, own := credentials.Named(other)
		for _, key := range own {
			others[key] = other.Name
		}
	}
	return func(key v1alpha1.SecretKeyRef) string { return others[key] }
}

func open(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name) //nolint:gosec // the caller names the file
}
