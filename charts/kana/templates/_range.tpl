{{/* How many workers, where somebody may have moved the range on the page or by kubectl since?

Where the gateway may set the scale it keeps what a person set: the chart says in a ConfigMap what the values ask for, and
renders no number into the Deployment, so that Helm never owns one. An HPA or a ScaledObject needs numbers in its manifest;
those of a stored manifest are old after a rollback, and the gateway puts back what holds. The revision on the object tells
it that Helm wrote there, and not a person.

Where the gateway may not, the chart does what it can alone: each object remembers, in an annotation, the values that it was
rendered from, and what is there is rendered again while they are the same. */}}

{{- define "kana.workers" -}}
{{- printf "%s-worker" (include "kana.full" .) -}}
{{- end -}}

{{- define "kana.rangeConfig" -}}
{{- printf "%s-range" (include "kana.full" .) -}}
{{- end -}}

{{/* Not empty where the gateway keeps the range. */}}
{{- define "kana.keepsRange" -}}
{{- if and .Values.gateway.control.enabled .Values.gateway.control.setScale -}}yes{{- end -}}
{{- end -}}

{{/* What the values ask for: a kind, the fields of the object that holds the range, and the range as text. */}}
{{- define "kana.asked" -}}
{{- $scaling := .Values.autoscaling -}}
{{- $min := $scaling.min -}}
{{- $max := $scaling.max -}}
{{- if eq $scaling.mode "none" -}}
{{- $min = .Values.worker.replicas -}}
{{- $max = .Values.worker.replicas -}}
{{- end -}}
{{- dict "min" $min "max" $max "text" (printf "%s %d-%d" $scaling.mode (int $min) (int $max)) | toJson -}}
{{- end -}}

{{/* "kana.liveRange" (dict "root" . "api" "apps/v1" "kind" "Deployment" "fields" (list "replicas" "replicas")): the range of
the live object as JSON, with whether it was rendered from the same values by a chart that keeps nothing. */}}
{{- define "kana.liveRange" -}}
{{- $live := lookup .api .kind .root.Release.Namespace (include "kana.workers" .root) -}}
{{- $spec := ($live).spec | default dict -}}
{{- $asked := include "kana.asked" .root | fromJson -}}
{{- $values := dict (index .fields 0) $asked.min (index .fields 1) $asked.max -}}
{{- $said := get ((($live).metadata).annotations | default dict) "kana/values" -}}
{{- $has := and (hasKey $spec (index .fields 0)) (hasKey $spec (index .fields 1)) -}}
{{- dict "min" (get $spec (index .fields 0)) "max" (get $spec (index .fields 1)) "has" $has "same" (and $has (eq $said ($values | toJson))) | toJson -}}
{{- end -}}

{{/* "kana.range" (dict … as for kana.liveRange): the range to render, as JSON. */}}
{{- define "kana.range" -}}
{{- $asked := include "kana.asked" .root | fromJson -}}
{{- $live := include "kana.liveRange" . | fromJson -}}
{{- $config := lookup "v1" "ConfigMap" .root.Release.Namespace (include "kana.rangeConfig" .root) -}}
{{- $record := get (($config).data | default dict) "record" | default "{}" | fromJson -}}
{{- if $live.same -}}
{{- $live | toJson -}}
{{- else if and $live.has $record.set (eq ($record.over | default "") $asked.text) (not $record.until) -}}
{{- $bounds := splitList "-" $record.set -}}
{{- dict "min" (index $bounds 0 | int) "max" (index $bounds 1 | int) | toJson -}}
{{- else -}}
{{- $asked | toJson -}}
{{- end -}}
{{- end -}}

{{/* The annotation of the object that holds the range. */}}
{{- define "kana.rangeAnnotation" -}}
{{- if include "kana.keepsRange" .root -}}
kana/revision: {{ .root.Release.Revision | quote }}
{{- else -}}
{{- $asked := include "kana.asked" .root | fromJson -}}
kana/values: {{ dict (index .fields 0) $asked.min (index .fields 1) $asked.max | toJson | quote }}
{{- end -}}
{{- end -}}

{{/* Not empty where the release has a Deployment of workers, and it asks for none. */}}
{{- define "kana.atZero" -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "kana.workers" .) -}}
{{- if and $live (eq (int (($live).spec).replicas) 0) -}}yes{{- end -}}
{{- end -}}

{{/* Which object holds the range, and in which fields, for kana.range. */}}
{{- define "kana.holder" -}}
{{- $holders := dict "none" (list "apps/v1" "Deployment" "replicas" "replicas") "hpa" (list "autoscaling/v2" "HorizontalPodAutoscaler" "minReplicas" "maxReplicas") "keda" (list "keda.sh/v1alpha1" "ScaledObject" "minReplicaCount" "maxReplicaCount") -}}
{{- $holder := get $holders .Values.autoscaling.mode -}}
{{- dict "api" (index $holder 0) "kind" (index $holder 1) "fields" (list (index $holder 2) (index $holder 3)) | toJson -}}
{{- end -}}
