{{/* A role with the rules of one in config/rbac, and its binding to the operator, from a dict of root, name, the file
     and the role's name there, and the namespace, or none for the whole cluster. */}}
{{- define "channel-connector.bound-role" -}}
{{- $scope := ternary "" "Cluster" (hasKey . "namespace") -}}
{{- $name := .name -}}
{{- if $scope -}}
{{- $name = include "channel-connector.clusterName" (list .root .name) -}}
{{- end -}}
{{- $metadata := merge (dict "name" $name) . -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Role
metadata:
  {{- include "channel-connector.metadata" $metadata | nindent 2 }}
{{ include "channel-connector.rules" . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}RoleBinding
metadata:
  {{- include "channel-connector.metadata" $metadata | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}Role
  name: {{ $name | quote }}
subjects:
- kind: ServiceAccount
  name: {{ include "channel-connector.serviceAccount" .root | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
{{- end -}}

{{/* The name of the role for scraping the operator's metrics. */}}
{{- define "channel-connector.metricsReader" -}}
{{ include "channel-connector.clusterName" (list . (printf "%s-metrics-reader" (include "channel-connector.operator" .))) }}
{{- end -}}

{{/* The rules of the role that a file of config/rbac holds under a name, with the release's Lease in place of the one
     there. */}}
{{- define "channel-connector.rules" -}}
{{- $wanted := .role -}}
{{- $lease := include "channel-connector.lease" .root -}}
{{- range splitList "\n---\n" (.root.Files.Get (printf "files/%s" .file)) -}}
{{- $role := fromYaml . -}}
{{- if and (hasSuffix "Role" $role.kind) (eq $role.metadata.name $wanted) -}}
{{ toYaml (dict "rules" $role.rules) | replace "channel-connector-operator.xbot.a4b.vn" $lease }}
{{- end -}}
{{- end -}}
{{- end -}}
