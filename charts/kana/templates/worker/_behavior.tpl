{{/* How fast may the number of workers change? Out at once and by doubling, in slowly. */}}
{{- define "kana.behavior" -}}
{{- $down := .Values.autoscaling.scaleDown -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 4, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ $down.stabilizationSeconds }}
  selectPolicy: Max
  policies:
    - {type: Percent, value: {{ $down.percent }}, periodSeconds: {{ $down.periodSeconds }}}
    # A percentage of one or two pods may be none.
    - {type: Pods, value: 1, periodSeconds: {{ $down.periodSeconds }}}
{{- end -}}
