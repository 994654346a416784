{{/* What does the gateway know of its cluster, and what is mounted into it? */}}

{{- define "kana.controlEnv" -}}
{{- if .Values.gateway.control.enabled -}}
{{- $workers := printf "%s-worker" (include "kana.full" .) -}}
- name: KANA_CLUSTER
  value: kubernetes
- name: KANA_NAMESPACE
  value: {{ .Release.Namespace }}
- name: KANA_RELEASE
  value: {{ .Release.Name | quote }}
- name: KANA_WORKERS
  value: {{ $workers }}
- name: KANA_SCALED_BY
  value: {{ .Values.autoscaling.mode }}
{{- if ne .Values.autoscaling.mode "none" }}
- name: KANA_SCALER
  value: {{ $workers }}
{{- end }}
{{- if include "kana.keepsRange" . }}
- name: KANA_RANGE_RECORD
  value: {{ include "kana.rangeConfig" . }}
{{- end }}
{{- else -}}
- name: KANA_CLUSTER
  value: none
{{- end -}}
{{- end -}}

{{- define "kana.tokensSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-tokens" (include "kana.full" .)) -}}
{{- end -}}

{{- define "kana.gatewayMounts" -}}
{{- if .Values.auth.enabled }}
- name: tokens
  mountPath: /etc/kana/tokens
  readOnly: true
{{- end }}
{{- include "kana.caMount" . }}
{{- end -}}

{{- define "kana.gatewayVolumes" -}}
{{- if .Values.auth.enabled }}
- name: tokens
  secret:
    secretName: {{ include "kana.tokensSecret" . }}
    items:
      - {key: tokens, path: tokens}
{{- end }}
{{- include "kana.caVolume" . }}
{{- end -}}

{{/* The authority of an external Redis; workers have it, too. */}}
{{- define "kana.caMount" -}}
{{- if .Values.redis.external.caSecret }}
- name: redis-ca
  mountPath: /etc/kana/redis-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "kana.caVolume" -}}
{{- with .Values.redis.external.caSecret }}
- name: redis-ca
  secret:
    secretName: {{ . }}
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}
