{{/* What is each thing called, and by which labels is it found? */}}

{{/* The release's name where it says kana already. 40 characters leave room for the longest suffix. */}}
{{- define "kana.full" -}}
{{- $name := .Values.nameOverride | default "kana" | trunc 20 | trimSuffix "-" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | trunc (sub 39 (len $name) | int) | trimSuffix "-") $name -}}
{{- end -}}
{{- end -}}

{{/* "kana.selector" (list . "worker"): what never changes in the life of a release. */}}
{{- define "kana.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: kana
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* "kana.labels" (list . "worker") */}}
{{- define "kana.labels" -}}
{{- $root := index . 0 -}}
{{ include "kana.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kana
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* "kana.meta" (list . "worker" "kana-worker"): the head of every object. */}}
{{- define "kana.meta" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "kana.labels" (list $root (index . 1)) | nindent 2 }}
{{- end -}}

{{/* "kana.imageName" (list .Values.image "1.2.3"): with the tag that is used where none is given. */}}
{{- define "kana.imageName" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (index . 1)) -}}
{{- end -}}
{{- end -}}
