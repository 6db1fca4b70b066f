# roomsync setup powershell access-policy
#
# Limits the mailboxes that the app may reach by an application access policy, as ROOMS' guide does: a mail-enabled
# security group, the mailboxes in it, and one policy for the app.
#
# It changes: one group, its members, and one policy. Nothing is removed.
# It needs:   Install-Module ExchangeOnlineManagement; the role Exchange Administrator (Organization Management).
#
# Microsoft replaces these policies by RBAC for Applications and advises against new ones: prefer the topic rbac. The
# policies limit only what Entra grants (full_access_as_app), not what rbac grants.
# RestrictAccess: only members of the group. DenyAccess: all but the members of the group. Deny wins; an app without
# any policy reaches every mailbox. A room cannot stand in a policy itself, only in the group.
# A change may take more than an hour to act, although Test-ApplicationAccessPolicy shows it at once.

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

#values: TenantId AppId GroupName AccessRight Mailboxes

#part: step
#part: filter
#part: connect
#part: group

Start-ExchangeSession
$group = Update-Group

$policies = @(Get-ApplicationAccessPolicy -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId })
$matching = @()
foreach ($policy in $policies) {
    Write-Host "there: $($policy.AccessRight) for '$($policy.ScopeName)'"
    if ($null -ne $group -and @($group.Name, $group.DisplayName) -contains $policy.ScopeName) {
        $matching += $policy
    }
}
if (@($matching | Where-Object { [string]$_.AccessRight -eq $AccessRight }).Count -gt 0) {
    Write-Fine $GroupName "the policy $AccessRight is there"
}
elseif ($matching.Count -gt 0) {
    Add-Failure $GroupName "there is a policy of the other kind for this group: remove it first (--undo with its --access-right)"
}
else {
    Invoke-Step $GroupName "create the policy $AccessRight for the app $AppId" {
        New-ApplicationAccessPolicy -AppId $AppId -PolicyScopeGroupId $group.PrimarySmtpAddress -AccessRight $AccessRight -Description "roomsync: $AccessRight, $GroupName" -ErrorAction Stop
    }
}

Write-Host ''
Write-Host 'What Exchange says of each mailbox (Microsoft documents this test for Graph; EWS obeys the same policies):'
foreach ($address in $Mailboxes) {
    try {
        $test = Test-ApplicationAccessPolicy -Identity $address -AppId $AppId -ErrorAction Stop
        Write-Host "$($test.AccessCheckResult)  $address"
    }
    catch {
        Add-Failure $address $_.Exception.Message
    }
}
Complete-Script
