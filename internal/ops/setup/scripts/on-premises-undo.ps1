# roomsync setup powershell on-premises --undo
#
# Takes back what the topic on-premises made: the role assignment, the management scope and the throttling policy. The group
# and its members stay.
#
# It changes: one role assignment, one management scope, one throttling policy and its association.
# It needs:   the Exchange Management Shell; membership in Organization Management.

[CmdletBinding(SupportsShouldProcess = $true)]
param(
    # Make the changes. Without it the script only says what it would do.
    [switch]$Apply
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#values: ServiceUser ScopeName AssignmentName PolicyName

#part: step
#part: connect

Start-ExchangeSession
foreach ($assignment in @(Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -ErrorAction Stop | Where-Object { $_.Name -eq $AssignmentName })) {
    Invoke-Step $AssignmentName 'remove the role assignment' {
        Remove-ManagementRoleAssignment -Identity $assignment.Name -Confirm:$false -ErrorAction Stop
    }
}
foreach ($scope in @(Get-ManagementScope -ErrorAction Stop | Where-Object { $_.Name -eq $ScopeName })) {
    Invoke-Step $ScopeName 'remove the management scope' {
        Remove-ManagementScope -Identity $scope.Name -Confirm:$false -ErrorAction Stop
    }
}
foreach ($policy in @(Get-ThrottlingPolicy -ErrorAction Stop | Where-Object { $_.Name -eq $PolicyName })) {
    $association = Get-ThrottlingPolicyAssociation -Identity $ServiceUser -ErrorAction Stop
    if ([string]$association.ThrottlingPolicyId -like "*$PolicyName") {
        Invoke-Step $ServiceUser 'let the usual throttling policy apply again' {
            Set-ThrottlingPolicyAssociation -Identity $ServiceUser -ThrottlingPolicy $null -ErrorAction Stop
        }
    }
    Invoke-Step $PolicyName 'remove the throttling policy' {
        Remove-ThrottlingPolicy -Identity $policy.Name -Confirm:$false -ErrorAction Stop
    }
}
Complete-Script
