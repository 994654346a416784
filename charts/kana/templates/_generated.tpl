{{/* How does a generated password survive upgrades, and a rotated one a rollback?

Not as a part of the release: `helm rollback` applies an old manifest, and with it the password of that time. A hook before
the installation, and before an upgrade that finds none, makes the Secret; a rollback runs neither. `keep` is for upgrades
from version 0.1.0's first charts, where the Secret was a part of the release: Helm would delete what the new one lacks. A
hook after the uninstallation, which Helm creates and deletes again, takes the Secret away. */}}

{{/* "kana.kept" (list . "kana-redis" "password" "fresh"): what the live Secret holds under this key, else the fresh one. */}}
{{- define "kana.kept" -}}
{{- $root := index . 0 -}}
{{- $live := lookup "v1" "Secret" $root.Release.Namespace (index . 1) -}}
{{- $value := get (($live).data | default dict) (index . 2) -}}
{{- if $value -}}{{ $value | b64dec }}{{- else -}}{{ index . 3 }}{{- end -}}
{{- end -}}

{{/* "kana.generated" (list . "gateway" "kana-tokens" (dict "operator" "…")): the hooks. Both hold the same, so that a tool
that applies all that Helm renders gets one Secret. */}}
{{- define "kana.generated" -}}
{{- $root := index . 0 -}}
{{- $args := . -}}
{{- $live := lookup "v1" "Secret" $root.Release.Namespace (index . 2) -}}
{{- if and $live (ne "Helm" (get ((($live).metadata).labels | default dict) "app.kubernetes.io/managed-by")) -}}
{{- fail (printf "\n\nthere is a Secret %s that is none of this release's: name it in auth.existingSecret or redis.existingSecret, or delete it\n" (index . 2)) -}}
{{- end -}}
{{- $is_kept := eq "keep" (get ((($live).metadata).annotations | default dict) "helm.sh/resource-policy") -}}
{{- $made := dict "helm.sh/hook" "pre-install,pre-upgrade" "helm.sh/hook-weight" "-5" -}}
{{- $made = merge $made (dict "helm.sh/hook-delete-policy" "before-hook-creation" "helm.sh/resource-policy" "keep") -}}
{{- /* By these an older chart, where the Secret is a part of the release, takes it over. */}}
{{- $made = merge $made (dict "meta.helm.sh/release-name" $root.Release.Name "meta.helm.sh/release-namespace" $root.Release.Namespace) -}}
{{- $removed := dict "helm.sh/hook" "post-delete" -}}
{{- $removed = merge $removed (dict "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded") -}}
{{- range ternary (list $removed) (list $made $removed) $is_kept }}
---
apiVersion: v1
kind: Secret
metadata:
  {{- include "kana.meta" (list $root (index $args 1) (index $args 2)) | nindent 2 }}
  annotations:
    {{- toYaml . | nindent 4 }}
type: Opaque
stringData:
  {{- toYaml (index $args 3) | nindent 2 }}
{{- end }}
{{- end -}}
