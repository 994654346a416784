{{/* How many workers, where somebody may have moved the range on the page since?

What was set on the page is kept by upgrades that say nothing new about it: each object remembers, in an annotation, the
values that it was rendered from. Rendering what is there already also spares Helm's server-side apply a conflict with the
gateway, which owns the fields that it patched. */}}

{{/* "kana.range" (dict "root" . "api" "apps/v1" "kind" "Deployment" "values" (dict "replicas" 1)) → the same values, or
those of the live object, as JSON. */}}
{{- define "kana.range" -}}
{{- $live := lookup .api .kind .root.Release.Namespace (printf "%s-worker" (include "kana.full" .root)) -}}
{{- $spec := ($live).spec | default dict -}}
{{- $said := get ((($live).metadata).annotations | default dict) "kana/values" -}}
{{- $unchanged := eq $said (.values | toJson) -}}
{{- $range := dict -}}
{{- range $key, $value := .values -}}
{{- $_ := set $range $key (ternary (get $spec $key) $value (and $unchanged (hasKey $spec $key))) -}}
{{- end -}}
{{- $range | toJson -}}
{{- end -}}

{{/* Not empty where the release has a Deployment of workers, and it asks for none. */}}
{{- define "kana.atZero" -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (printf "%s-worker" (include "kana.full" .)) -}}
{{- if and $live (eq (int (($live).spec).replicas) 0) -}}yes{{- end -}}
{{- end -}}
