# roomsync setup powershell access-policy --undo
#
# Removes the application access policy of the app for this group. The group and its members stay.
#
# It changes: one policy. Without a RestrictAccess policy the app reaches EVERY mailbox that Entra grants it: take back
#             full_access_as_app (topic app, --undo) before, unless that is what you want.
# It needs:   Install-Module ExchangeOnlineManagement; the role Exchange Administrator (Organization Management).

#requires: exchange
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply,
    # The account to sign in with; asked for when absent.
    [string]$Administrator
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: TenantId AppId GroupName AccessRight

#part: step
#part: connect

Start-ExchangeSession
$policies = @(Get-ApplicationAccessPolicy -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId })
foreach ($policy in $policies) {
    if ($policy.ScopeName -ne $GroupName -or [string]$policy.AccessRight -ne $AccessRight) {
        Write-Host "stays: $($policy.AccessRight) for '$($policy.ScopeName)'"
        continue
    }
    Invoke-Step $GroupName "remove the policy $AccessRight" {
        Remove-ApplicationAccessPolicy -Identity $policy.Identity -Confirm:$false -ErrorAction Stop
    }
}
Complete-Script
