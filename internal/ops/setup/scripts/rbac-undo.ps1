# roomsync setup powershell rbac --undo
#
# Takes back what the topic rbac made: the role assignment, the management scope and the pointer to the app. The group
# and its members stay.
#
# It changes: one role assignment, one management scope, one pointer. roomsync then reaches only what Entra grants it.
# It needs:   Install-Module ExchangeOnlineManagement; membership in Organization Management (Exchange Administrator).

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

#values: TenantId AppId ScopeName AssignmentName

#part: step
#part: connect

Start-ExchangeSession
foreach ($assignment in @(Get-ManagementRoleAssignment -Role 'Application EWS.AccessAsApp' -ErrorAction Stop | Where-Object { $_.Name -eq $AssignmentName })) {
    Invoke-Step $AssignmentName 'remove the role assignment' {
        Remove-ManagementRoleAssignment -Identity $assignment.Name -Confirm:$false -ErrorAction Stop
    }
}
foreach ($scope in @(Get-ManagementScope -ErrorAction Stop | Where-Object { $_.Name -eq $ScopeName })) {
    Invoke-Step $ScopeName 'remove the management scope' {
        Remove-ManagementScope -Identity $scope.Name -Confirm:$false -ErrorAction Stop
    }
}
$others = @()
foreach ($pointer in @(Get-ServicePrincipal -ErrorAction Stop | Where-Object { [string]$_.AppId -eq $AppId })) {
    $others = @(Test-ServicePrincipalAuthorization -Identity $AppId -ErrorAction Stop | Where-Object { $_.RoleName -ne 'Application EWS.AccessAsApp' })
    if ($others.Count -gt 0) {
        Write-Host "stays: the pointer; the app has other roles: $(@($others | ForEach-Object { $_.RoleName }) -join ', ')"
        continue
    }
    Invoke-Step $AppId 'remove the pointer to the app' {
        Remove-ServicePrincipal -Identity $AppId -Confirm:$false -ErrorAction Stop
    }
}
Complete-Script
