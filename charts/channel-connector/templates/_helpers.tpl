{{- define "channel-connector.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of all objects of the operator. */}}
{{- define "channel-connector.operator" -}}
{{ include "channel-connector.fullname" . }}-operator
{{- end -}}

{{/* The name of the operator's Lease: the one of config/rbac if the release is named like the chart. */}}
{{- define "channel-connector.lease" -}}
{{ include "channel-connector.operator" . }}.xbot.a4b.vn
{{- end -}}

{{/* The name of an object that belongs to no namespace, from (list . name): each release of a cluster has its own. */}}
{{- define "channel-connector.clusterName" -}}
{{ index . 1 }}-{{ (index . 0).Release.Namespace }}
{{- end -}}

{{/* The name of all objects that apply the value connectors. */}}
{{- define "channel-connector.connectors" -}}
{{ include "channel-connector.fullname" . }}-connectors
{{- end -}}

{{- define "channel-connector.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "channel-connector.operator" . }}
{{- else -}}
{{/* Kubernetes' own default would give the operator's rights to every pod of the namespace that names none. */}}
{{- fail "serviceAccount.name: with serviceAccount.create false, the chart makes none: write the name of your own" -}}
{{- end -}}
{{- end -}}

{{- define "channel-connector.selector" -}}
app.kubernetes.io/name: channel-connector-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The labels of every object, with the chart's version. */}}
{{- define "channel-connector.labels" -}}
{{ include "channel-connector.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* The labels of every pod, without versions: a new chart alone must replace no pod. */}}
{{- define "channel-connector.podLabels" -}}
app.kubernetes.io/part-of: channel-connector
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Metadata of an object, from a dict of root, name and, if it has its own, namespace, labels and annotations. */}}
{{- define "channel-connector.metadata" -}}
name: {{ .name | quote }}
{{- with .namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- $own := merge (dict) (.labels | default dict) (dict "app.kubernetes.io/name" "channel-connector-operator") }}
  {{- merge $own (include "channel-connector.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image's reference, from (list . image). */}}
{{- define "channel-connector.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The pod's settings that Pod Security "restricted" demands. */}}
{{- define "channel-connector.podSecurityContext" -}}
runAsNonRoot: true
{{- if ne .Values.operator.userIDs "Cluster" }}
runAsUser: 65532
runAsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The container's settings that it demands. */}}
{{- define "channel-connector.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* How the image of a pod is pulled, and where it runs, from (list . values): what those leave out is the operator's. The
     images are for Linux alone, and a cluster may have other nodes, too. */}}
{{- define "channel-connector.placement" -}}
{{- $root := index . 0 -}}
{{- $own := index . 1 -}}
{{- $placement := dict -}}
{{- range $field := list "imagePullSecrets" "priorityClassName" "nodeSelector" "tolerations" -}}
{{- with get $own $field | default (get $root.Values.operator $field) -}}
{{- $_ := set $placement $field . -}}
{{- end -}}
{{- end -}}
{{- $linux := dict "nodeSelector" (dict "kubernetes.io/os" "linux") -}}
{{ merge (dict) $placement $linux | toYaml }}
{{- end -}}

{{/* Metadata of a pod that makes a few requests and ends, from a dict of root and its labels. A sidecar would never end,
     and Helm would wait for it in vain; meshes ask for either. */}}
{{- define "channel-connector.hookPodMetadata" -}}
{{- $without := dict "sidecar.istio.io/inject" "false" "linkerd.io/inject" "disabled" -}}
{{- $values := .root.Values -}}
labels:
  {{- merge (dict) .labels $values.hooks.podLabels $without (include "channel-connector.podLabels" .root | fromYaml) | toYaml | nindent 2 }}
annotations:
  {{- merge (dict) (.annotations | default dict) $values.hooks.podAnnotations $values.commonAnnotations $without | toYaml | nindent 2 }}
{{- end -}}

{{/* A duration such as 1h30m in seconds. */}}
{{- define "channel-connector.seconds" -}}
{{- $start := toDate "2006-01-02" "2000-01-01" -}}
{{- sub ($start | mustDateModify . | unixEpoch) ($start | unixEpoch) -}}
{{- end -}}

{{/* The webhook's path of a type of channel, if the connector names none. */}}
{{- define "channel-connector.defaultPath" -}}
{{- get (dict
  "ZaloOA" "/webhook/xpbot/api/zalo/push"
  "AzureBot" "/webhook/xpbot/api/azbot/push"
  "FacebookMessenger" "/webhook/xpbot/api/messenger/push"
  "ZaloBot" "/webhook/xpbot/api/zalobot/push"
) . -}}
{{- end -}}
