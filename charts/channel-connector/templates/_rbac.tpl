{{/* A role with the rules of one in config/rbac, and its binding to the operator, from a dict of root, name, the file
     and the role's name there, and the namespace, or none for the whole cluster. */}}
{{- define "channel-connector.bound-role" -}}
{{- $scope := ternary "" "Cluster" (hasKey . "namespace") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}Role
metadata:
  {{- include "channel-connector.metadata" . | nindent 2 }}
{{ include "channel-connector.rules" . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $scope }}RoleBinding
metadata:
  {{- include "channel-connector.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $scope }}Role
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ include "channel-connector.serviceAccount" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{/* The rules of the role that a file of config/rbac holds under a name. */}}
{{- define "channel-connector.rules" -}}
{{- $wanted := .role -}}
{{- range splitList "\n---\n" (.root.Files.Get (printf "files/%s" .file)) -}}
{{- $role := fromYaml . -}}
{{- if and (hasSuffix "Role" $role.kind) (eq $role.metadata.name $wanted) -}}
{{ toYaml (dict "rules" $role.rules) }}
{{- end -}}
{{- end -}}
{{- end -}}
