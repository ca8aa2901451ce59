{{/* A pod of "helm test" that posts an empty body and succeeds when the answer is 200, from a dict of root, name, url
     and, where the API key is asked for, apiKey: the Secret's name and key, and tls, the Secret with the server's
     certificate, if there is one. */}}
{{- define "channel-connector.probe" -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
{{- $hook = set $hook "helm.sh/hook-output-log-policy" "hook-succeeded,hook-failed" }}
{{- $pod := include "channel-connector.hookPodMetadata" (dict "root" .root "labels" (dict "app.kubernetes.io/name" "channel-connector-test") "annotations" $hook) | fromYaml }}
apiVersion: v1
kind: Pod
metadata:
  {{- include "channel-connector.metadata" (dict "root" .root "name" .name "annotations" $pod.annotations "labels" $pod.labels) | nindent 2 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: Never
  {{- include "channel-connector.placement" (list .root .root.Values.hooks) | nindent 2 }}
  securityContext:
    {{- include "channel-connector.podSecurityContext" .root | nindent 4 }}
  containers:
  - name: probe
    image: {{ include "channel-connector.image" (list .root .root.Values.connector.image) | quote }}
    args:
    - send
    - --file=/dev/null
    - --url={{ .url }}
    {{- with .apiKey }}
    - --api-key-file=/api-key/{{ .key }}
    {{- else }}
    - --without-api-key
    {{- end }}
    {{- if .tls }}
    - --certificate-file=/tls/tls.crt
    {{- end }}
    resources:
      {{- toYaml .root.Values.hooks.resources | nindent 6 }}
    securityContext:
      {{- include "channel-connector.securityContext" .root | nindent 6 }}
    {{- with .apiKey }}
    volumeMounts:
    - name: api-key
      mountPath: /api-key
      readOnly: true
    {{- if $.tls }}
    - name: tls
      mountPath: /tls
      readOnly: true
    {{- end }}
  volumes:
  - name: api-key
    secret:
      secretName: {{ .name | quote }}
      items:
      - {key: {{ .key | quote }}, path: {{ .key | quote }}}
  {{- if $.tls }}
  - name: tls
    secret:
      secretName: {{ $.tls | quote }}
      items:
      - {key: tls.crt, path: tls.crt}
  {{- end }}
    {{- end }}
{{- end -}}
