{#
  Lets users become root, in plain sh, as root in the new system: a file for sudo, which visudo checks.
    users   those with "sudo: true" give their own password for it, those with "sudo: nopasswd" none
#}
{% set ns = namespace(lines=[]) %}
{% for user in users | default([]) %}
{% set sudo = user.sudo | default(false) | string | lower | one_of(['true', 'false', 'nopasswd'], 'sudo of ' ~ user.name) %}
{% if sudo != 'false' %}
{% if user.name is not match('[A-Za-z0-9_][A-Za-z0-9_.-]*$') %}
{{ '' | mandatory('sudo of ' ~ user.name ~ ': a name in a file for sudo has letters, digits, and _ . - here') }}
{% endif %}
{# SUSE asks for the password of root otherwise, which nobody may have. #}
{% set ns.lines = ns.lines + ['Defaults:' ~ user.name ~ ' !targetpw, !rootpw, !runaspw', user.name ~ ' ALL=(ALL:ALL) ' ~ ('NOPASSWD: ' if sudo == 'nopasswd' else '') ~ 'ALL'] %}
{% endif %}
{% endfor %}
{% if ns.lines %}
mkdir -p -m 750 /etc/sudoers.d
(umask 227 && printf '%s\n' {% for line in ns.lines %}{{ line | quote }} {% endfor %}> /etc/sudoers.d/treeboot)
# A file with a mistake would take sudo from everyone.
! command -v visudo > /dev/null 2>&1 || visudo -c -q -f /etc/sudoers.d/treeboot || rm -f /etc/sudoers.d/treeboot
{% endif %}
